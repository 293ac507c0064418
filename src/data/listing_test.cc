#include "data/listing.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/file.h"
#include "data/test_files.h"

namespace cairn::data {
namespace {

Item item(uint32_t number) {
  Item made;
  made.name = "sample " + std::to_string(number);
  made.label = static_cast<uint16_t>(number % 7);
  made.file = number;
  made.place = uint64_t{number} << 20;
  made.size = number + 1;
  return made;
}

TEST(Listing, SortsByTheDigestsOfNamesAndReadsAnyPart) {
  constexpr uint32_t kCount = 20'000;
  TemporaryDirectory directory;
  std::vector<Item> expected;
  ListingBuilder builder(directory / "list");
  for (uint32_t i = 0; i < kCount; ++i) {
    expected.push_back(item(i));
    ASSERT_TRUE(builder.add(expected.back()));
  }
  EXPECT_FALSE(Listing::open(directory / "list")->has_value());
  ASSERT_TRUE(builder.finish([](const Item&) { return Status(); }));
  std::ranges::sort(expected, {}, [](const Item& one) { return sha256(as_bytes(one.name)); });
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
  auto listing = Listing::open(directory / "list");
  ASSERT_TRUE(listing.ok() && listing->has_value());
  EXPECT_EQ((*listing)->count(), kCount);
  for (const auto& [first, count] : {std::pair(0u, 100u), std::pair(100u, kCount - 100), std::pair(7u, 3u)}) {
    const auto items = (*listing)->read(first, count);
    ASSERT_TRUE(items.ok()) << items.error().message;
    EXPECT_TRUE(std::ranges::equal(*items, std::span(expected).subspan(first, count)));
  }
}

TEST(Listing, OfRepeatedNamesTheFirstStays) {
  TemporaryDirectory directory;
  ListingBuilder builder(directory / "list");
  for (const uint32_t file : {1, 2, 3}) {
    Item repeated = item(0);
    repeated.file = file;
    ASSERT_TRUE(builder.add(repeated));
  }
  std::vector<uint32_t> others;
  ASSERT_TRUE(builder.finish([&](const Item& one) {
    others.push_back(one.file);
    return Status();
  }));
  EXPECT_EQ(others, (std::vector<uint32_t>{2, 3}));
  EXPECT_EQ((*Listing::open(directory / "list"))->read(0, 1)->front().file, 1u);
}

TEST(Listing, DamageIsAnError) {
  TemporaryDirectory directory;
  ListingBuilder builder(directory / "list");
  ASSERT_TRUE(builder.add(item(0)));
  ASSERT_TRUE(builder.finish([](const Item&) { return Status(); }));
  Bytes bytes = *read_file(directory / "list", 1000);
  bytes.erase(bytes.begin(), bytes.begin() + 5);
  write_plain(directory / "list", bytes);
  auto listing = Listing::open(directory / "list");
  ASSERT_EQ((*listing)->count(), 1u);
  EXPECT_THAT((*listing)->read(0, 1).error().message,
              ::testing::HasSubstr("delete the folder and begin again"));
  std::filesystem::resize_file(directory / "list", 3);
  EXPECT_FALSE(Listing::open(directory / "list").ok());
}

}  // namespace
}  // namespace cairn::data
