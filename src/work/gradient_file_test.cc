#include "work/gradient_file.h"

#include <gmock/gmock.h>

#include <array>
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
  file.bits = std::array<uint8_t, 3>{16, 8, 4}[random() % 3];
  file.block_size = static_cast<uint32_t>(1 + random() % 40);
  std::vector<float> values(1 + random() % 100);
  for (float& value : values)
    value = random() % 4 ? std::ldexp(static_cast<float>(random() % 2001) - 1000, -20) : 0;
  const auto kept = static_cast<uint32_t>(random() % 2 ? values.size() : 1 + random() % values.size());
  const RandomSequence rounding(1, RandomStream::gradient_rounding);
  EXPECT_TRUE(encode_values(values, kept, rounding, file));
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
    ASSERT_EQ(checked->kept, file.values.size());
    ASSERT_EQ(encode(file).size(),
              gradient_file_size(file.bits, file.block_size, file.parameters, checked->kept));
  }
}

TEST(GradientFile, KeepsAtLeastOneValue) {
  EXPECT_EQ(kept_count(1'000, kKeepAll), 1'000u);
  EXPECT_EQ(kept_count(1'000, 999'999), 999u);
  EXPECT_EQ(kept_count(1'000, 2'999), 2u);
  EXPECT_EQ(kept_count(1'000, 1), 1u);
  EXPECT_EQ(kept_count(kMaxParameters, kKeepAll), kMaxParameters);
}

TEST(GradientFile, TheLargestIsWithinTheLimit) {
  for (const uint64_t kept : {kMaxParameters, kMaxParameters - 1, kMaxParameters / 2})
    EXPECT_LE(gradient_file_size(16, 1, kMaxParameters, kept), kMaxGradientFileSize);
}

// Three blocks of two values of a model of twelve parameters. All numbers of the head are from byte 86 on.
GradientFile sparse_example() {
  GradientFile file;
  file.samples = 1;
  file.bits = 4;
  file.block_size = 2;
  file.parameters = 12;
  file.positions = {1, 2, 4, 6, 11};
  file.exponents = {0, -3, 5};
  file.values = {0, 0, 1, -7, 7};
  return file;
}

std::string said_about(BytesView bytes) {
  const auto decoded = decode_gradient_file(bytes);
  const auto checked = check_gradient_file(bytes);
  const std::string said = decoded ? "accepted" : decoded.error().message;
  EXPECT_EQ(checked ? "accepted" : checked.error().message, said);
  return said;
}

TEST(GradientFile, RefusalsNameTheField) {
  const auto with = [&](auto change) {
    GradientFile file = sparse_example();
    change(file);
    return said_about(encode(file));
  };
  EXPECT_EQ(with([](GradientFile&) {}), "accepted");
  EXPECT_THAT(with([](GradientFile& f) { f.samples = 0; }), HasSubstr("gradient file: samples: "));
  EXPECT_THAT(with([](GradientFile& f) { f.loss = NAN; }), HasSubstr("loss: not a finite number"));
  EXPECT_THAT(with([](GradientFile& f) { f.loss = -INFINITY; }), HasSubstr("loss: not a finite number"));
  EXPECT_THAT(with([](GradientFile& f) { f.exponents[1] = -127; }),
              HasSubstr("exponents: -127 is not between"));
  EXPECT_THAT(with([](GradientFile& f) { f.exponents[2] = 64; }), HasSubstr("exponents: 64 is not between"));
  EXPECT_THAT(with([](GradientFile& f) { f.exponents[0] = 1; }),
              HasSubstr("exponents: block 0 is all zeros"));
  for (const auto& [bits, lowest] : {std::pair{4, -8}, {8, -128}, {16, -32768}}) {
    EXPECT_THAT(with([bits = bits, lowest = lowest](GradientFile& f) {
                  f.bits = static_cast<uint8_t>(bits);
                  f.values[4] = static_cast<int16_t>(lowest);
                }),
                HasSubstr("values: number 4 is below"));
  }
  EXPECT_THAT(with([](GradientFile& f) { f.positions[1] = 1; }),
              HasSubstr("positions: number 1 is 1 where 2"));
  EXPECT_THAT(with([](GradientFile& f) { f.positions[4] = 6; }),
              HasSubstr("positions: number 4 is 6 where 7"));
}

TEST(GradientFile, RefusesHeadsThatSayTooMuch) {
  const auto with = [&](size_t at, uint8_t byte) {
    Bytes bytes = encode(sparse_example());
    bytes[at] = byte;
    return said_about(bytes);
  };
  EXPECT_THAT(with(18, 1), HasSubstr("version: 1 where 2 is known"));
  EXPECT_THAT(with(102, 12), HasSubstr("bits: 12 is none of 4, 8 and 16"));
  EXPECT_THAT(with(103, 0), HasSubstr("block size: 0 is not between"));
  EXPECT_THAT(with(106, 1), HasSubstr("block size: 16777218 is not between"));
  EXPECT_THAT(with(107, 0), HasSubstr("parameters: 0 is not between"));
  EXPECT_THAT(with(110, 0x11), HasSubstr("parameters: 285212684 is not between"));
  EXPECT_THAT(with(111, 0), HasSubstr("kept: 0 is not between"));
  EXPECT_THAT(with(111, 13), HasSubstr("kept: 13 is not between"));
  EXPECT_THAT(with(114, 1), HasSubstr("kept: 16777221 is not between"));
  EXPECT_THAT(with(111, 12), HasSubstr("values: the input ends")) << "all are kept, so no positions follow";
}

TEST(GradientFile, HalfABytePastTheLastValueIsZero) {
  Bytes bytes = encode(sparse_example());
  bytes.back() |= 0x10;
  EXPECT_EQ(said_about(bytes), "gradient file: values: the half byte after the last is not zero");
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
                       "size|parameters|kept|trace|exponents|positions|values|end): .+"));
    }
  }
}

// The documented layout, byte by byte.
std::string head_hex(const std::string& bits, const std::string& parameters, const std::string& kept,
                     const std::string& trace = "00000000") {
  const std::string zeros(64, '0');
  return "0e000000" + to_hex(as_bytes("cairn gradient")) + "02000000" + zeros + zeros +
         "04030201"
         "05000000"
         "20000000"
         "0000c03f" +
         bits + "02000000" + parameters + kept + trace;
}

TEST(GradientFile, BytesAreAsDocumented) {
  GradientFile file;
  file.round = 0x01020304;
  file.unit = 5;
  file.samples = 32;
  file.loss = 1.5f;
  file.bits = 16;
  file.block_size = 2;
  file.parameters = 3;
  file.trace = {sha256(Bytes{1})};
  file.exponents = {-1, 0};
  file.values = {-2, 258, 3};
  EXPECT_EQ(to_hex(encode(file)),
            head_hex("10", "03000000", "03000000", "01000000" + sha256(Bytes{1}).hex()) +
                "ff00"
                "feff"
                "0201"
                "0300");
  file.trace.clear();
  file.bits = 4;
  file.parameters = 12;
  file.positions = {1, 2, 9};
  file.values = {-2, 7, 3};
  EXPECT_EQ(to_hex(encode(file)), head_hex("04", "0c000000", "03000000") +
                                      "ff00"
                                      "1913"
                                      "7e03");
}

}  // namespace
}  // namespace cairn::work
