#include "data/resize.h"

#include <algorithm>
#include <vector>

#include "base/result.h"

namespace cairn::data {
namespace {

constexpr int kWeightBits = 14;  // the weights of a pixel add up to 2^14
constexpr int kRowBits = 6;      // that are kept below the binary point between the two passes

// For each output the first input and the weights of it and those that follow.
struct Filter {
  struct Window {
    uint32_t first;
    uint32_t weights;  // where they begin
    uint32_t count;
  };
  std::vector<Window> windows;
  std::vector<int32_t> weights;
};

// With pixels of width 1 / n and 1 / m, centres and the width of the filter are whole multiples of 1 / 2nm.
Filter make_filter(int64_t from, int64_t to) {
  Filter filter;
  const int64_t reach = 2 * std::max(from, to);
  std::vector<int64_t> sums;
  for (int64_t out = 0; out < to; ++out) {
    const int64_t centre = (2 * out + 1) * from;
    // The inputs whose distance from the centre is below the reach.
    const int64_t first = std::max<int64_t>(0, (centre - reach) / (2 * to) - 1);
    sums.assign(1, 0);
    for (int64_t in = first; in < from && (2 * in + 1) * to - centre < reach; ++in) {
      const int64_t distance = (2 * in + 1) * to - centre;
      sums.push_back(sums.back() + std::max<int64_t>(0, reach - (distance < 0 ? -distance : distance)));
    }
    const int64_t total = sums.back();
    const auto rounded = [&](int64_t sum) { return ((sum << (kWeightBits + 1)) + total) / (2 * total); };
    filter.windows.push_back({static_cast<uint32_t>(first), static_cast<uint32_t>(filter.weights.size()),
                              static_cast<uint32_t>(sums.size() - 1)});
    for (size_t i = 1; i < sums.size(); ++i)
      filter.weights.push_back(static_cast<int32_t>(rounded(sums[i]) - rounded(sums[i - 1])));
  }
  return filter;
}

void resize_row(const uint8_t* row, const Filter& filter, uint16_t* out) {
  constexpr int kShift = kWeightBits - kRowBits;
  for (const auto& [first, begin, count] : filter.windows) {
    int32_t sum = 1 << (kShift - 1);
    for (uint32_t i = 0; i < count; ++i) sum += filter.weights[begin + i] * row[first + i];
    *out++ = static_cast<uint16_t>(sum >> kShift);
  }
}

// One row of the result out of the rows of the first pass.
void mix_rows(const uint16_t* rows, size_t width, const Filter& filter, const Filter::Window& window,
              std::vector<int32_t>& sums, uint8_t* out) {
  constexpr int kShift = kWeightBits + kRowBits;
  std::ranges::fill(sums, 1 << (kShift - 1));
  for (uint32_t i = 0; i < window.count; ++i) {
    const int32_t weight = filter.weights[window.weights + i];
    const uint16_t* row = rows + (window.first + i) * width;
    for (size_t x = 0; x < width; ++x) sums[x] += weight * row[x];
  }
  for (size_t x = 0; x < width; ++x) out[x] = static_cast<uint8_t>(sums[x] >> kShift);
}

}  // namespace

Bytes resize(BytesView pixels, uint32_t channels, ImageSize from, ImageSize to) {
  CAIRN_ASSERT(pixels.size() == uint64_t{channels} * from.height * from.width);
  if (from == to) return {pixels.begin(), pixels.end()};
  const Filter across = make_filter(from.width, to.width), down = make_filter(from.height, to.height);
  Bytes result(size_t{channels} * to.height * to.width);
  std::vector<uint16_t> rows(size_t{from.height} * to.width);
  std::vector<int32_t> sums(to.width);
  for (size_t channel = 0; channel < channels; ++channel) {
    const uint8_t* plane = pixels.data() + channel * from.height * from.width;
    for (size_t y = 0; y < from.height; ++y) resize_row(plane + y * from.width, across, &rows[y * to.width]);
    uint8_t* out = result.data() + channel * to.height * to.width;
    for (const Filter::Window& window : down.windows) {
      mix_rows(rows.data(), to.width, down, window, sums, out);
      out += to.width;
    }
  }
  return result;
}

}  // namespace cairn::data
