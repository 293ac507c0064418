#include "data/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace cairn::data {
namespace {

Bytes noise(size_t count, std::mt19937_64& random) {
  Bytes bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

// The same filter in real numbers along one axis.
std::vector<double> filtered(const std::vector<double>& in, size_t to) {
  const double scale = static_cast<double>(in.size()) / static_cast<double>(to), reach = std::max(1.0, scale);
  std::vector<double> out;
  for (size_t j = 0; j < to; ++j) {
    const double centre = (static_cast<double>(j) + 0.5) * scale;
    double sum = 0, total = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      const double weight = std::max(0.0, reach - std::abs(static_cast<double>(i) + 0.5 - centre));
      sum += weight * in[i];
      total += weight;
    }
    out.push_back(sum / total);
  }
  return out;
}

std::vector<double> exactly(const Bytes& plane, ImageSize from, ImageSize to) {
  std::vector<std::vector<double>> rows;
  for (size_t y = 0; y < from.height; ++y) {
    const auto row = plane.begin() + static_cast<ptrdiff_t>(y * from.width);
    rows.push_back(filtered({row, row + from.width}, to.width));
  }
  std::vector<double> out(size_t{to.height} * to.width);
  for (size_t x = 0; x < to.width; ++x) {
    std::vector<double> column;
    for (const auto& row : rows) column.push_back(row[x]);
    const auto mixed = filtered(column, to.height);
    for (size_t y = 0; y < to.height; ++y) out[y * to.width + x] = mixed[y];
  }
  return out;
}

TEST(Resize, IsTheTriangleFilterToWithinRounding) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 60; ++i) {
    const auto side = [&] { return static_cast<uint32_t>(1 + random() % 40); };
    const ImageSize from{side(), side()}, to{side(), side()};
    const Bytes pixels = noise(size_t{3} * from.height * from.width, random);
    const Bytes result = resize(pixels, 3, from, to);
    ASSERT_EQ(result.size(), size_t{3} * to.height * to.width);
    for (size_t channel = 0; channel < 3; ++channel) {
      const auto plane = pixels.begin() + static_cast<ptrdiff_t>(channel * from.height * from.width);
      const auto expected = exactly({plane, plane + from.height * from.width}, from, to);
      for (size_t p = 0; p < expected.size(); ++p)
        ASSERT_NEAR(result[channel * expected.size() + p], expected[p], 0.6);
    }
  }
}

TEST(Resize, KeepsOneColour) {
  for (const uint8_t colour : {uint8_t{0}, uint8_t{1}, uint8_t{127}, uint8_t{254}, uint8_t{255}}) {
    for (const ImageSize to : {ImageSize{1, 1}, {7, 3}, {64, 99}, {500, 2}}) {
      const Bytes result = resize(Bytes(size_t{31} * 57, colour), 1, {31, 57}, to);
      for (const uint8_t pixel : result) ASSERT_EQ(pixel, colour);
    }
  }
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  std::mt19937_64 random(2);
  const Bytes pixels = noise(3 * 17 * 23, random);
  EXPECT_EQ(resize(pixels, 3, {17, 23}, {17, 23}), pixels);
}

// Part of what a data set is: computed by a separate program from docs/formats/manifest.md.
TEST(Resize, IsFixedToTheBit) {
  Bytes pixels;
  for (int i = 0; i < 5 * 7; ++i) pixels.push_back(static_cast<uint8_t>(i * i * 37 + 11));
  EXPECT_EQ(resize(pixels, 1, {5, 7}, {3, 4}),
            (Bytes{44, 131, 125, 132, 124, 116, 161, 151, 160, 124, 101, 97}));
  EXPECT_EQ(resize(pixels, 1, {5, 7}, {6, 9}),
            (Bytes{11,  36,  97,  143, 88,  90,  134, 133, 63,  27,  54,  120, 169, 117, 123, 170, 173, 106,
                   69,  100, 102, 106, 174, 184, 152, 142, 178, 139, 173, 132, 80,  153, 166, 138, 132, 171,
                   173, 210, 173, 107, 116, 84,  128, 143, 86,  91,  132, 98,  77,  240, 62,  67,  85,  31}));
}

}  // namespace
}  // namespace cairn::data
