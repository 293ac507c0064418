// For tests: a small data set in memory, of four classes that a model can tell apart.
#pragma once

#include <map>
#include <random>

#include "data/dataset.h"
#include "work/recipe.h"

namespace cairn::work {

class MemoryBlobs : public data::ShardSource {
 public:
  Digest put(BytesView bytes) {
    const Digest digest = sha256(bytes);
    blobs_[digest] = Bytes(bytes.begin(), bytes.end());
    return digest;
  }
  Result<Bytes> get(const Digest& digest, uint64_t max_size) const override {
    const auto found = blobs_.find(digest);
    if (found == blobs_.end() || found->second.size() > max_size)
      return Error{"blob " + digest.hex() + " is missing"};
    return found->second;
  }
  void remove(const Digest& digest) { blobs_.erase(digest); }

 private:
  std::map<Digest, Bytes> blobs_;
};

// Images of 16 x 16 pixels in noise; the class is the quadrant that is bright.
struct ToyData {
  static constexpr uint32_t kSide = 16;

  explicit ToyData(uint32_t train_count = 150, uint32_t test_count = 70)
      : manifest{
            .name = "toy", .classes = {"a", "b", "c", "d"}, .channels = 1, .height = kSide, .width = kSide} {
    std::mt19937_64 random(5);
    for (const auto& [split, count] : {std::pair(0, train_count), std::pair(1, test_count)}) {
      std::vector<data::Shard> page;
      for (uint32_t first = 0; first < count; first += 64) {
        page.push_back(make_shard(std::min(64u, count - first), random));
        if (page.size() == data::kGroupShards) add_group(split, page);
      }
      if (!page.empty()) add_group(split, page);
    }
  }

  data::DataSet open() const { return data::DataSet(manifest, blobs); }

  data::Manifest manifest;
  MemoryBlobs blobs;

 private:
  void add_group(int split, std::vector<data::Shard>& page) {
    data::Group group{0, blobs.put(data::encode_page(page))};
    for (const data::Shard& shard : page) group.count += shard.count;
    manifest.groups[static_cast<size_t>(split)].push_back(group);
    page.clear();
  }

  data::Shard make_shard(uint32_t count, std::mt19937_64& random) {
    Bytes pixels;
    data::Index index;
    for (uint32_t i = 0; i < count; ++i) {
      const auto label = static_cast<uint16_t>(random() % 4);
      index.entries.push_back({label, "toy-" + std::to_string(random())});
      for (uint32_t p = 0; p < kSide * kSide; ++p) {
        const uint32_t quadrant = p / (kSide * kSide / 2) * 2 + p % kSide / (kSide / 2);
        pixels.push_back(static_cast<uint8_t>(random() % 100 + (quadrant == label ? 100 : 0)));
      }
    }
    index.chunks = data::chunk_digests(pixels);
    return {count, blobs.put(pixels), blobs.put(data::encode_index(index, count))};
  }
};

inline Recipe toy_recipe(uint32_t local_steps, uint32_t accumulation = 1) {
  Recipe recipe;
  recipe.batch = 8;
  recipe.accumulation = accumulation;
  recipe.local_steps = local_steps;
  recipe.momentum = 0.9f;
  recipe.weight_decay = 1e-4f;
  recipe.warmup_steps = 2;
  recipe.evaluation_sample = 64;
  return recipe;
}

}  // namespace cairn::work
