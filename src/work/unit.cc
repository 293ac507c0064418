#include "work/unit.h"

#include "work/permutation.h"

namespace cairn::work {

std::vector<uint32_t> unit_images(const Recipe& recipe, uint32_t train_count, uint32_t unit) {
  const uint64_t size = recipe.unit_images();
  std::vector<uint32_t> images;
  images.reserve(size);
  uint64_t position = unit * size;
  while (images.size() < size) {
    const auto epoch = static_cast<uint32_t>(position / train_count);
    const Permutation permutation(recipe.seed, RandomStream::permutation, epoch, train_count);
    do {
      images.push_back(permutation.at(static_cast<uint32_t>(position % train_count)));
      ++position;
    } while (images.size() < size && position % train_count != 0);
  }
  return images;
}

}  // namespace cairn::work
