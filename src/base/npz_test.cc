#include "base/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Bytes sample_file() {
  NpzWriter writer;
  const std::vector<float> weights = {1.0f, -0.0f, 3.5f, 1e-40f, 5.0f, 6.0f};
  const std::vector<int32_t> labels = {7, -1, 9};
  const std::vector<double> loss = {0.125};
  writer.add<float>("conv1.weight", std::vector<int64_t>{2, 3}, weights);
  writer.add<int32_t>("labels", std::vector<int64_t>{3}, labels);
  writer.add<double>("loss", std::vector<int64_t>{}, loss);
  writer.add<uint8_t>("nothing", std::vector<int64_t>{0, 4}, {});
  writer.add<int64_t>("steps", std::vector<int64_t>{1, 1, 1}, std::vector<int64_t>{1LL << 40});
  return writer.finish().value();
}

TEST(Npz, ReadsWhatItWrote) {
  const Bytes file = sample_file();
  const auto arrays = read_npz(file);
  ASSERT_TRUE(arrays.ok()) << arrays.error().message;
  ASSERT_EQ(arrays->size(), 5u);
  EXPECT_EQ((*arrays)[0].name, "conv1.weight");
  EXPECT_THAT((*arrays)[0].shape, ElementsAre(2, 3));
  EXPECT_THAT((*arrays)[0].values<float>().value(), ElementsAre(1.0f, -0.0f, 3.5f, 1e-40f, 5.0f, 6.0f));
  EXPECT_THAT((*arrays)[1].values<int32_t>().value(), ElementsAre(7, -1, 9));
  EXPECT_THAT((*arrays)[2].shape, ElementsAre());
  EXPECT_THAT((*arrays)[2].values<double>().value(), ElementsAre(0.125));
  EXPECT_THAT((*arrays)[3].values<uint8_t>().value(), ElementsAre());
  EXPECT_THAT((*arrays)[4].values<int64_t>().value(), ElementsAre(1LL << 40));
  EXPECT_FALSE((*arrays)[4].values<float>().ok());
}

TEST(Npz, SameArraysGiveSameBytes) {
  EXPECT_EQ(sample_file(), sample_file());
}

TEST(Npz, ValuesBeginAtMultiplesOf64InsideTheirArray) {
  const Bytes file = sample_file();
  const auto arrays = read_npz(file).value();
  // 30 bytes of local header, then the name.
  const auto start = static_cast<size_t>(arrays[0].data.data() - file.data());
  EXPECT_EQ((start - 30 - std::string("conv1.weight.npy").size()) % 64, 0u);
}

TEST(Npz, RefusesTwoArraysOfOneNameAndBadNames) {
  NpzWriter twice;
  twice.add<float>("a", std::vector<int64_t>{0}, {});
  twice.add<float>("a", std::vector<int64_t>{0}, {});
  EXPECT_THAT(twice.finish().error().message, HasSubstr("two entries are named a.npy"));
  NpzWriter nameless;
  nameless.add<float>("", std::vector<int64_t>{0}, {});
  EXPECT_FALSE(nameless.finish().ok());
}

TEST(Npz, RefusesEveryTruncation) {
  const Bytes file = sample_file();
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(read_npz(BytesView(file).first(size)).ok()) << size;
  }
}

TEST(Npz, FlippedBitsNeverChangeValues) {
  const Bytes file = sample_file();
  const auto original = read_npz(file).value();
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    Bytes damaged = file;
    damaged[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    const auto arrays = read_npz(damaged);
    if (!arrays) continue;  // Names, dates and versions are under no checksum; values are.
    ASSERT_EQ(arrays->size(), original.size()) << bit;
    for (size_t i = 0; i < original.size(); ++i) {
      EXPECT_TRUE(std::ranges::equal((*arrays)[i].data, original[i].data)) << bit;
      EXPECT_EQ((*arrays)[i].shape, original[i].shape) << bit;
    }
  }
}

TEST(Npz, SplicedFilesNeverCrash) {
  const Bytes file = sample_file();
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    Bytes damaged = file;
    const size_t from = random() % file.size(), to = random() % file.size();
    const size_t size = std::min<size_t>(random() % 64, file.size() - std::max(from, to));
    std::copy_n(file.begin() + from, size, damaged.begin() + to);
    if (const auto arrays = read_npz(damaged)) {
      for (const NpzArray& array : *arrays) ASSERT_LE(array.data.size(), damaged.size());
    }
  }
}

// The bytes of numpy.savez(f, x=numpy.arange(2, dtype='f4')) from NumPy 1.24, whose local headers leave the
// sizes to a zip64 field.
constexpr std::string_view kNumpyFile =
    "504b030414000000000000002100f3055321880000008800000005001400782e6e7079010010008800000000000000880000"
    "0000000000934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046"
    "616c73652c20277368617065273a2028322c292c207d20202020202020202020202020202020202020202020202020202020"
    "20202020202020202020202020202020202020202020202020202020202020200a000000000000803f504b01021403140000"
    "00000000002100f30553218800000088000000050000000000000000000000800100000000782e6e7079504b050600000000"
    "0100010033000000bf0000000000";

TEST(Npz, ReadsNumpysOwnFile) {
  const Bytes file = from_hex(kNumpyFile).value();
  const auto arrays = read_npz(file);
  ASSERT_TRUE(arrays.ok()) << arrays.error().message;
  ASSERT_EQ(arrays->size(), 1u);
  EXPECT_EQ((*arrays)[0].name, "x");
  EXPECT_THAT((*arrays)[0].values<float>().value(), ElementsAre(0.0f, 1.0f));
}

}  // namespace
}  // namespace cairn
