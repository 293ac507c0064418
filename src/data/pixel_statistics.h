// What the pixels of a data set are like: where normalizing them begins.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace cairn::data {

struct PixelStatistics {
  std::vector<double> mean, deviation;  // by channel, of pixels from 0 to 1
};

// Of the first `images` training images, or of all where there are fewer. Precondition: the data are images.
Result<PixelStatistics> pixel_statistics(const DataSet& data, uint32_t images);

}  // namespace cairn::data
