#include "work/augmentation.h"

#include <algorithm>
#include <cmath>

#include "data/resize.h"
#include "exact/functions.h"

namespace cairn::work {
namespace {

// The words of one image. Each has one use, so that a setting that is off changes nothing else.
class Draws {
 public:
  Draws(uint64_t seed, uint32_t unit, uint32_t place) {
    const RandomSequence sequence(seed, RandomStream::augmentation, unit);
    const auto low = sequence.at(2 * place), high = sequence.at(2 * place + 1);
    std::ranges::copy(low, words_.begin());
    std::ranges::copy(high, words_.begin() + 4);
  }

  uint32_t word(size_t i) const { return words_[i]; }
  // 0 … count - 1.
  uint32_t below(size_t i, uint32_t count) const {
    return static_cast<uint32_t>(uint64_t{words_[i]} * count >> 32);
  }

 private:
  std::array<uint32_t, 8> words_;
};
enum Draw : size_t { top, left, area, ratio, flip, brightness, contrast, saturation };

// A rectangle of an image whose corner may lie outside.
struct Window {
  int64_t top, left;
  uint32_t height, width;
};

Bytes cut(const Image& image, const Window& window) {
  Bytes pixels(size_t{image.channels} * window.height * window.width);
  const int64_t begin = std::max<int64_t>(window.left, 0);
  const int64_t end = std::min<int64_t>(window.left + window.width, image.width);
  for (uint32_t row = 0; row < image.channels * window.height; ++row) {
    const uint32_t channel = row / window.height;
    const int64_t y = window.top + row % window.height;
    if (y < 0 || y >= image.height || begin >= end) continue;
    const auto source = image.pixels.begin() + (int64_t{channel} * image.height + y) * image.width;
    std::copy(source + begin, source + end,
              pixels.begin() + int64_t{row} * window.width + (begin - window.left));
  }
  return pixels;
}

Window window_around(const Image& image, InputSize size, const Augmentation& augmentation,
                     const Draws& draws) {
  const uint32_t around = 2 * augmentation.padding;
  return {int64_t{draws.below(top, image.height + around - size.height + 1)} - augmentation.padding,
          int64_t{draws.below(left, image.width + around - size.width + 1)} - augmentation.padding,
          size.height, size.width};
}

uint32_t side(double length, uint32_t longest) {
  return static_cast<uint32_t>(std::clamp(std::nearbyint(length), 1.0, static_cast<double>(longest)));
}

Window part_of(const Image& image, const Augmentation& augmentation, const Draws& draws) {
  const uint32_t share =
      augmentation.min_area + draws.below(area, augmentation.max_area - augmentation.min_area + 1);
  const double pixels = static_cast<double>(uint64_t{image.height} * image.width) * share * 0x1p-16;
  const float largest = exact::log_exact(static_cast<float>(augmentation.max_ratio) * 0x1p-16f);
  const float draw = static_cast<float>(draws.word(ratio) >> 8) * 0x1p-23f - 1.0f;
  const double stretch = exact::exp_exact(largest * draw);
  const uint32_t height = side(std::sqrt(pixels / stretch), image.height);
  const uint32_t width = side(std::sqrt(pixels * stretch), image.width);
  return {draws.below(top, image.height - height + 1), draws.below(left, image.width - width + 1), height,
          width};
}

Bytes crop(const Image& image, InputSize size, const Augmentation& augmentation, const Draws& draws) {
  if (augmentation.crop == Crop::none) return middle(image, size);
  if (augmentation.crop == Crop::padded) return cut(image, window_around(image, size, augmentation, draws));
  const Window part = part_of(image, augmentation, draws);
  return data::resize(cut(image, part), image.channels, {part.height, part.width}, {size.height, size.width});
}

void reverse_rows(std::span<uint8_t> pixels, uint32_t width) {
  for (size_t row = 0; row < pixels.size(); row += width) std::ranges::reverse(pixels.subspan(row, width));
}

// Three planes of one image, or one.
class Colours {
 public:
  Colours(std::span<uint8_t> pixels, uint32_t channels)
      : pixels_(pixels), channels_(channels), plane_(pixels.size() / channels) {}

  void brighten(int64_t factor) {
    for (uint8_t& pixel : pixels_) pixel = away(pixel, 0, factor);
  }
  void contrast(int64_t factor) {
    uint64_t sum = 0;
    for (size_t i = 0; i < plane_; ++i) sum += grey(i);
    const auto mean = static_cast<int64_t>((sum + plane_ / 2) / plane_);
    for (uint8_t& pixel : pixels_) pixel = away(pixel, mean, factor);
  }
  void saturate(int64_t factor) {
    for (size_t i = 0; i < plane_; ++i) {
      const int64_t centre = grey(i);
      for (size_t channel = 0; channel < channels_; ++channel) {
        uint8_t& pixel = pixels_[channel * plane_ + i];
        pixel = away(pixel, centre, factor);
      }
    }
  }

 private:
  uint32_t grey(size_t i) const {
    if (channels_ != 3) return pixels_[i];
    return (77u * pixels_[i] + 150u * pixels_[plane_ + i] + 29u * pixels_[2 * plane_ + i] + 128u) >> 8;
  }
  static uint8_t away(int64_t pixel, int64_t centre, int64_t factor) {
    return static_cast<uint8_t>(
        std::clamp<int64_t>(centre + (((pixel - centre) * factor + kWhole / 2) >> 16), 0, 255));
  }

  std::span<uint8_t> pixels_;
  uint32_t channels_;
  size_t plane_;
};

void change_colours(Colours colours, const Augmentation& augmentation, const Draws& draws) {
  const auto factor = [&](Draw draw, uint32_t strength) {
    return int64_t{kWhole} - strength + draws.below(draw, 2 * strength + 1);
  };
  if (augmentation.brightness > 0) colours.brighten(factor(brightness, augmentation.brightness));
  if (augmentation.contrast > 0) colours.contrast(factor(contrast, augmentation.contrast));
  if (augmentation.saturation > 0) colours.saturate(factor(saturation, augmentation.saturation));
}

}  // namespace

Bytes middle(const Image& image, InputSize size) {
  return cut(image,
             {(image.height - size.height) / 2, (image.width - size.width) / 2, size.height, size.width});
}

Bytes augment(const Image& image, InputSize size, const Augmentation& augmentation, uint64_t seed,
              uint32_t unit, uint32_t place) {
  const Draws draws(seed, unit, place);
  Bytes pixels = crop(image, size, augmentation, draws);
  if (augmentation.flip && draws.word(flip) >> 31 != 0) reverse_rows(pixels, size.width);
  change_colours({pixels, image.channels}, augmentation, draws);
  return pixels;
}

}  // namespace cairn::work
