// The manifest of a data set: which images there are and what class each belongs to, by digest.
//
// It fixes every pixel, label and name, so no contributor can bring in poisoned data. It lists shards; a
// shard is two blobs, the decoded pixels of some images and an index with their labels and names, so that
// names can be read without the pixels. Canonical bytes: docs/formats/manifest.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"

namespace cairn::data {

enum class Split : uint8_t { train = 0, test = 1 };
inline constexpr std::array<Split, 2> kSplits = {Split::train, Split::test};

struct Shard {
  uint32_t count = 0;  // images
  Digest pixels;       // count * channels * height * width bytes, images one after the other
  Digest index;        // encode_index()
  bool operator==(const Shard&) const = default;
};

struct Manifest {
  std::string name;  // of the data set
  std::vector<std::string> classes;
  uint32_t channels = 0, height = 0, width = 0;
  std::array<std::vector<Shard>, 2> shards;  // by split

  bool operator==(const Manifest&) const = default;

  const std::vector<Shard>& of(Split split) const { return shards[static_cast<size_t>(split)]; }
  uint32_t count(Split split) const;                                           // images
  uint64_t image_size() const { return uint64_t{channels} * height * width; }  // bytes
};

// So many consecutive shards of a split are a group, within which an epoch shuffles; the last has what is left.
inline constexpr size_t kGroupShards = 8;
std::vector<uint32_t> group_counts(const Manifest& manifest, Split split);  // images of each group

// Label and name of each image of a shard.
struct IndexEntry {
  uint16_t label = 0;
  std::string name;
  bool operator==(const IndexEntry&) const = default;
};

inline constexpr uint64_t kMaxManifestSize = 16 << 20;
inline constexpr uint64_t kMaxShardSize = 64 << 20;  // bytes of pixels, and bytes of an index
inline constexpr uint32_t kMaxShards = 1 << 16;      // of a split
inline constexpr uint32_t kMaxImages = uint32_t{1} << 31;
inline constexpr uint32_t kMaxSide = 1 << 14;  // pixels
inline constexpr uint32_t kMaxChannels = 64;
inline constexpr uint32_t kMaxClasses = 1 << 16;
inline constexpr size_t kMaxNameSize = 255;

Bytes encode(const Manifest& manifest);
Result<Manifest> decode_manifest(BytesView bytes);

Bytes encode_index(const std::vector<IndexEntry>& index);
// Refuses an index of another number of images, labels outside the classes and names that check_name()
// (base/text.h) refuses.
Result<std::vector<IndexEntry>> decode_index(BytesView bytes, uint32_t count, uint32_t classes);

}  // namespace cairn::data
