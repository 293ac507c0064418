#include "data/pixel_statistics.h"

#include <algorithm>
#include <cmath>

namespace cairn::data {

Result<PixelStatistics> pixel_statistics(const DataSet& data, uint32_t images) {
  const Manifest& manifest = data.manifest();
  const size_t plane = size_t{manifest.height} * manifest.width;
  std::vector<uint64_t> sums(manifest.channels), squares(manifest.channels);
  const uint32_t count = std::min(images, data.count(Split::train));
  for (uint32_t i = 0; i < count; ++i) {
    CAIRN_TRY(const Bytes pixels, data.sample(Split::train, i));
    for (size_t p = 0; p < pixels.size(); ++p) {
      sums[p / plane] += pixels[p];
      squares[p / plane] += uint64_t{pixels[p]} * pixels[p];
    }
  }
  PixelStatistics found;
  const double number = static_cast<double>(count) * static_cast<double>(plane);
  for (size_t channel = 0; channel < manifest.channels; ++channel) {
    const double mean = static_cast<double>(sums[channel]) / number;
    const double variance = static_cast<double>(squares[channel]) / number - mean * mean;
    found.mean.push_back(mean / 255);
    found.deviation.push_back(std::sqrt(std::max(0.0, variance)) / 255);
  }
  return found;
}

}  // namespace cairn::data
