#include "base/stored_zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using testing::HasSubstr;

// PKWARE APPNOTE 4.3.7: where the bytes of the entry at `offset` begin.
size_t begin_of(const Bytes& file, size_t offset) {
  const auto u16 = [&](size_t at) { return static_cast<size_t>(file[at] | file[at + 1] << 8); };
  return offset + 30 + u16(offset + 26) + u16(offset + 28);
}

TEST(StoredZip, EntriesBeginWhereTheyAreWanted) {
  for (size_t name = 1; name < 70; ++name) {
    StoredZip zip;
    zip.add(std::string(name, 'n'), {as_bytes("ab"), as_bytes("cd")}, 64);
    const Bytes file = zip.finish().value();
    const size_t begin = begin_of(file, 0);
    ASSERT_EQ(begin % 64, 0u) << name;
    EXPECT_EQ(std::string(file.begin() + begin, file.begin() + begin + 4), "abcd");
  }
}

TEST(StoredZip, PadsNothingWhereNothingIsWanted) {
  StoredZip zip;
  zip.add("abc", {as_bytes("x")});
  EXPECT_EQ(begin_of(zip.finish().value(), 0), 33u);
}

TEST(StoredZip, RefusesTwoEntriesOfOneName) {
  StoredZip zip;
  zip.add("a", {});
  zip.add("a", {});
  EXPECT_THAT(zip.finish().error().message, HasSubstr("two entries are named a"));
}

TEST(StoredZip, ChecksumsArePieceByPieceThoseOfTheWhole) {
  EXPECT_EQ(zip_checksum(as_bytes("123456789")), 0xcbf43926u);  // the check value of CRC-32
  EXPECT_EQ(zip_checksum(as_bytes("6789"), zip_checksum(as_bytes("12345"))), 0xcbf43926u);
}

}  // namespace
}  // namespace cairn
