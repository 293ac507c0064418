#include "work/augmentation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <tuple>

#include "base/digest.h"

namespace cairn::work {
namespace {

struct Picture {
  Picture(uint32_t channels, uint32_t height, uint32_t width, uint64_t seed = 1)
      : pixels(size_t{channels} * height * width), image{channels, height, width, pixels} {
    std::mt19937_64 random(seed);
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
    image.pixels = pixels;
  }
  uint8_t at(uint32_t channel, int64_t y, int64_t x) const {
    if (y < 0 || x < 0 || y >= image.height || x >= image.width) return 0;
    return pixels[(size_t{channel} * image.height + static_cast<size_t>(y)) * image.width +
                  static_cast<size_t>(x)];
  }

  Bytes pixels;
  Image image;
};

// Whether `part` is cut out of the picture with that corner, its rows reversed or not.
bool is_window(const Picture& picture, const Bytes& part, InputSize size, int64_t top, int64_t left,
               bool reversed) {
  size_t i = 0;
  for (uint32_t channel = 0; channel < picture.image.channels; ++channel) {
    for (int64_t y = 0; y < size.height; ++y) {
      for (int64_t x = 0; x < size.width; ++x) {
        const int64_t column = reversed ? size.width - 1 - x : x;
        if (part[i++] != picture.at(channel, top + y, left + column)) return false;
      }
    }
  }
  return true;
}

TEST(Augmentation, NothingIsTheMiddle) {
  for (const auto& [height, width] : {std::pair(9u, 14u), {8u, 8u}, {7u, 7u}}) {
    const Picture picture(3, height, width);
    const InputSize size{6, 7};
    const Bytes middle_part = middle(picture.image, size);
    EXPECT_TRUE(is_window(picture, middle_part, size, (height - 6) / 2, (width - 7) / 2, false));
    EXPECT_EQ(augment(picture.image, size, {}, 1, 2, 3), middle_part);
  }
  const Picture picture(1, 5, 6);
  EXPECT_EQ(middle(picture.image, {5, 6}), picture.pixels);
}

// Every place that the padding allows, each about as often, and flipped half of the time.
TEST(Augmentation, PaddedCropsAreEverywhereAndAlsoOutside) {
  const Picture picture(2, 6, 7);
  Augmentation padded;
  padded.crop = Crop::padded;
  padded.padding = 2;
  padded.flip = true;
  const InputSize size{6, 6};
  std::map<std::tuple<int, int, bool>, int> found;
  constexpr int kCount = 6000;
  for (uint32_t place = 0; place < kCount; ++place) {
    const Bytes part = augment(picture.image, size, padded, 7, 1, place);
    ASSERT_EQ(part.size(), 2 * 36u);
    for (int top = -2; top <= 2; ++top) {
      for (int left = -2; left <= 3; ++left) {
        for (const bool reversed : {false, true})
          found[{top, left, reversed}] += is_window(picture, part, size, top, left, reversed) ? 1 : 0;
      }
    }
  }
  ASSERT_EQ(found.size(), 5 * 6 * 2u);
  for (const auto& [where, count] : found) EXPECT_NEAR(count, kCount / 60, 5 * std::sqrt(kCount / 60.0));
}

// A picture whose pixels say where they are: the part that was cut out can be read off what became of it.
TEST(Augmentation, ResizedCropsHaveTheSharesAndRatiosThatWereAskedFor) {
  constexpr uint32_t kSide = 200;
  Bytes pixels(2 * kSide * kSide);
  for (uint32_t y = 0; y < kSide; ++y) {
    for (uint32_t x = 0; x < kSide; ++x) {
      pixels[y * kSide + x] = static_cast<uint8_t>(y);
      pixels[(kSide + y) * kSide + x] = static_cast<uint8_t>(x);
    }
  }
  const Image image{2, kSide, kSide, pixels};
  Augmentation resized;
  resized.crop = Crop::resized;
  resized.min_area = kWhole / 4;
  resized.max_area = kWhole / 2;
  double low = 1, high = 0, narrow = 1, wide = 1, sum = 0;
  constexpr int kCount = 1500;
  for (uint32_t place = 0; place < kCount; ++place) {
    const Bytes part = augment(image, {8, 8}, resized, 3, 4, place);
    // The third and the seventh of eight pixels are half of the part's side apart.
    const double height = 2.0 * (part[6 * 8] - part[2 * 8]), width = 2.0 * (part[64 + 6] - part[64 + 2]);
    const double area = height * width / (kSide * kSide), ratio = width / height;
    low = std::min(low, area);
    high = std::max(high, area);
    narrow = std::min(narrow, ratio);
    wide = std::max(wide, ratio);
    sum += area;
  }
  EXPECT_NEAR(low, 0.25, 0.02);
  EXPECT_NEAR(high, 0.5, 0.03);
  EXPECT_NEAR(sum / kCount, 0.375, 0.01);
  EXPECT_NEAR(narrow, 0.75, 0.04);
  EXPECT_NEAR(wide, 4 / 3.0, 0.06);
}

TEST(Augmentation, ColoursKeepWhatTheyTurnAbout) {
  const Picture picture(3, 8, 8);
  const auto changed = [&](const Augmentation& augmentation, uint32_t place) {
    return augment(picture.image, {8, 8}, augmentation, 5, 6, place);
  };
  Augmentation grey;
  grey.saturation = kWhole;
  const Picture colourless = [] {
    Picture flat(3, 8, 8);
    for (size_t i = 0; i < 64; ++i) flat.pixels[64 + i] = flat.pixels[128 + i] = flat.pixels[i];
    return flat;
  }();
  Image image = colourless.image;
  image.pixels = colourless.pixels;
  EXPECT_EQ(augment(image, {8, 8}, grey, 1, 1, 1), colourless.pixels) << "grey has no colour to strengthen";
  Augmentation dark;
  dark.brightness = kWhole / 2;
  for (uint32_t place = 0; place < 50; ++place) {
    const Bytes pixels = changed(dark, place);
    // One factor for all: the quotient of what was not cut off.
    double low = 9, high = 0;
    for (size_t i = 0; i < pixels.size(); ++i) {
      if (picture.pixels[i] < 100 || pixels[i] == 255) continue;
      low = std::min(low, pixels[i] / static_cast<double>(picture.pixels[i]));
      high = std::max(high, pixels[i] / static_cast<double>(picture.pixels[i]));
    }
    EXPECT_LT(high - low, 0.011);
    EXPECT_GE(low, 0.49);
    EXPECT_LE(high, 1.51);
  }
}

TEST(Augmentation, OneSettingChangesNothingOfAnother) {
  const Picture picture(3, 9, 9);
  Augmentation crop;
  crop.crop = Crop::padded;
  Augmentation flipped = crop;
  flipped.flip = true;
  for (uint32_t place = 0; place < 20; ++place) {
    Bytes plain = augment(picture.image, {9, 9}, crop, 1, 1, place);
    const Bytes other = augment(picture.image, {9, 9}, flipped, 1, 1, place);
    if (plain == other) continue;
    for (size_t row = 0; row < plain.size(); row += 9)
      std::reverse(plain.begin() + row, plain.begin() + row + 9);
    EXPECT_EQ(plain, other);
  }
}

TEST(Augmentation, DependsOnSeedUnitAndPlaceAlone) {
  const Picture picture(3, 12, 12);
  Augmentation all;
  all.crop = Crop::resized;
  all.flip = true;
  all.brightness = all.contrast = all.saturation = kWhole / 2;
  const auto at = [&](uint64_t seed, uint32_t unit, uint32_t place) {
    return augment(picture.image, {10, 10}, all, seed, unit, place);
  };
  EXPECT_EQ(at(1, 2, 3), at(1, 2, 3));
  EXPECT_NE(at(1, 2, 3), at(2, 2, 3));
  EXPECT_NE(at(1, 2, 3), at(1, 3, 3));
  EXPECT_NE(at(1, 2, 3), at(1, 2, 4));
  // Part of every gradient's definition; computed by a separate program from docs/formats/recipe.md.
  EXPECT_EQ(sha256(at(1, 2, 3)).hex(), "b4caa0f7518f35b2c798ce94b940e3a892145870fe17dd55279c48ddca4d9ba1");
}

}  // namespace
}  // namespace cairn::work
