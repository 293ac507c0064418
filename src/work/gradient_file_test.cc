#include "work/gradient_file.h"

#include <gmock/gmock.h>

#include <cmath>

#include "data/mutation.h"
#include "work/block_encoding.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

GradientFile example(std::mt19937_64& random) {
  GradientFile file;
  file.project = sha256(Bytes{1});
  file.snapshot = sha256(Bytes{2});
  file.round = static_cast<uint32_t>(random());
  file.unit = static_cast<uint32_t>(random());
  file.samples = static_cast<uint32_t>(1 + random() % 4096);
  file.loss = static_cast<float>(random() % 1000) / 300.0f;
  file.bits = random() % 2 ? 16 : 8;
  file.block_size = static_cast<uint32_t>(1 + random() % 40);
  std::vector<float> values(1 + random() % 100);
  for (float& value : values)
    value = random() % 4 ? std::ldexp(static_cast<float>(random() % 2001) - 1000, -20) : 0;
  auto blocks =
      encode_blocks(values, file.bits, file.block_size, RandomSequence(1, RandomStream::gradient_rounding));
  file.exponents = blocks->exponents;
  file.values = blocks->values;
  return file;
}

TEST(GradientFile, RoundTrips) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2'000; ++i) {
    const GradientFile file = example(random);
    const auto decoded = decode_gradient_file(encode(file));
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    ASSERT_EQ(*decoded, file);
    const auto checked = check_gradient_file(encode(file));
    ASSERT_TRUE(checked.ok());
    ASSERT_EQ(static_cast<const GradientHead&>(*checked), file);
    ASSERT_EQ(checked->values, file.values.size());
  }
}

TEST(GradientFile, RefusalsNameTheField) {
  std::mt19937_64 random(2);
  const auto with = [&](auto change) {
    GradientFile file = example(random);
    file.bits = 8;
    file.block_size = 2;
    file.exponents = {0, -3, 5};
    file.values = {0, 0, 1, -127, 127};
    change(file);
    const Bytes bytes = encode(file);
    const auto decoded = decode_gradient_file(bytes);
    const auto checked = check_gradient_file(bytes);
    const std::string said = decoded ? "accepted" : decoded.error().message;
    EXPECT_EQ(checked ? "accepted" : checked.error().message, said);
    return said;
  };
  EXPECT_EQ(with([](GradientFile&) {}), "accepted");
  EXPECT_THAT(with([](GradientFile& f) { f.samples = 0; }), HasSubstr("gradient file: samples: "));
  EXPECT_THAT(with([](GradientFile& f) { f.loss = NAN; }), HasSubstr("loss: not a finite number"));
  EXPECT_THAT(with([](GradientFile& f) { f.loss = -INFINITY; }), HasSubstr("loss: not a finite number"));
  EXPECT_THAT(with([](GradientFile& f) { f.bits = 12; }), HasSubstr("bits: 12 is neither 8 nor 16"));
  EXPECT_THAT(with([](GradientFile& f) { f.values[4] = -128; }), HasSubstr("values: number 4 is below"));
  EXPECT_THAT(with([](GradientFile& f) { f.exponents[1] = -127; }),
              HasSubstr("exponents: -127 is not between"));
  EXPECT_THAT(with([](GradientFile& f) { f.exponents[2] = 64; }), HasSubstr("exponents: 64 is not between"));
  EXPECT_THAT(with([](GradientFile& f) { f.exponents[0] = 1; }),
              HasSubstr("exponents: block 0 is all zeros"));
  EXPECT_THAT(with([](GradientFile& f) {
                f.bits = 16;
                f.values[4] = -32768;
              }),
              HasSubstr("values: number 4 is below"));
}

TEST(GradientFile, RefusesOtherSizes) {
  std::mt19937_64 random(3);
  const Bytes bytes = encode(example(random));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_gradient_file(BytesView(bytes).first(size)).ok());
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(decode_gradient_file(longer).error().message, "gradient file: end: 1 bytes too many");
}

TEST(GradientFile, SurvivesDamage) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 10'000; ++i) {
    const Bytes damaged = data::mutate(encode(example(random)), random);
    const auto decoded = decode_gradient_file(damaged);
    if (decoded) {
      ASSERT_EQ(encode(*decoded), damaged);
    } else {
      ASSERT_THAT(
          decoded.error().message,
          MatchesRegex("gradient file: (magic|version|project|snapshot|round|unit|samples|loss|bits|block "
                       "size|value count|exponents|values|end): .+"));
    }
  }
}

// The documented layout, byte by byte.
TEST(GradientFile, BytesAreAsDocumented) {
  GradientFile file;
  file.round = 0x01020304;
  file.unit = 5;
  file.samples = 32;
  file.loss = 1.5f;
  file.bits = 16;
  file.block_size = 2;
  file.exponents = {-1, 0};
  file.values = {-2, 258, 3};
  const std::string zeros(64, '0');
  EXPECT_EQ(to_hex(encode(file)), "0e000000" + to_hex(as_bytes("cairn gradient")) + "01000000" + zeros +
                                      zeros +
                                      "04030201"
                                      "05000000"
                                      "20000000"
                                      "0000c03f"
                                      "10"
                                      "02000000"
                                      "03000000"
                                      "ff00"
                                      "feff"
                                      "0201"
                                      "0300");
}

}  // namespace
}  // namespace cairn::work
