// The manifest of a data set: which samples there are and what class each belongs to, by digest.
//
// It fixes every pixel, token, label and name, so no contributor can bring in poisoned data. It is a tree, so
// that who needs a part of a large data set reads no more than that part's branch: the manifest itself lists
// groups, a group's page lists up to eight shards, and a shard is two blobs, the samples and an index with
// their labels and names, so that names can be read without pixels. Canonical bytes:
// docs/formats/manifest.md.
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

enum class Kind : uint8_t { images = 0, text = 1 };

// Consecutive shards of a split: eight of them, or what is left of the last ones.
struct Group {
  uint32_t count = 0;  // samples
  Digest page;         // encode_page()
  bool operator==(const Group&) const = default;
};

struct Shard {
  uint32_t count = 0;  // samples
  Digest samples;      // count * sample_size() bytes, one sample after the other
  Digest index;        // encode_index()
  bool operator==(const Shard&) const = default;
};

struct Manifest {
  std::string name = {};  // of the data set
  Kind kind = Kind::images;
  // Of images: unsigned bytes [channels][height][width], each of one class.
  std::vector<std::string> classes = {};
  uint32_t channels = 0, height = 0, width = 0;
  // Of text: context + 1 tokens of 16 bits (little-endian), each below `vocabulary`. What a token stands for
  // is in the blob of that digest (data/vocabulary.h); where that is all zeros, a token is a byte.
  uint32_t context = 0, vocabulary = 0;
  Digest tokens = {};
  std::array<std::vector<Group>, 2> groups = {};  // by split

  bool operator==(const Manifest&) const = default;

  const std::vector<Group>& of(Split split) const { return groups[static_cast<size_t>(split)]; }
  uint32_t count(Split split) const;  // samples
  uint64_t sample_size() const;       // bytes
  uint32_t class_count() const;       // of a sample's label, or of a token
};

// What a shard's index says of a sample of kind images.
struct IndexEntry {
  uint16_t label = 0;
  std::string name;
  bool operator==(const IndexEntry&) const = default;
};

struct Index {
  std::vector<Digest> chunks;       // of the samples' bytes: chunk_digests()
  std::vector<IndexEntry> entries;  // of images, one each; of text, none
  bool operator==(const Index&) const = default;
};

inline constexpr uint64_t kMaxManifestSize = 16 << 20;
inline constexpr uint64_t kMaxShardSize = 64 << 20;  // bytes of samples, and bytes of an index
inline constexpr uint32_t kMaxShards = 1 << 16;      // of a split
inline constexpr uint32_t kGroupShards = 8;
inline constexpr uint32_t kMaxGroups = kMaxShards / kGroupShards;
inline constexpr uint32_t kMaxPageSize = 4 + kGroupShards * (4 + 32 + 32);
inline constexpr uint64_t kChunkSize = 1 << 20;  // bytes of samples that are unpacked and checked together
inline constexpr uint32_t kMaxImages = uint32_t{1} << 31;
inline constexpr uint32_t kMaxSide = 1 << 14;  // pixels
inline constexpr uint32_t kMaxChannels = 64;
inline constexpr uint32_t kMaxClasses = 1 << 16;
inline constexpr uint32_t kMaxContext = 1 << 16;
inline constexpr uint32_t kMaxVocabulary = 1 << 16;
inline constexpr size_t kMaxNameSize = 255;

Bytes encode(const Manifest& manifest);
Result<Manifest> decode_manifest(BytesView bytes);

Bytes encode_page(const std::vector<Shard>& shards);
// Refuses a page whose shards do not hold as many samples as the manifest says of their group.
Result<std::vector<Shard>> decode_page(BytesView bytes, const Manifest& manifest, const Group& group);

// Of each kChunkSize bytes, the last of which may be fewer.
std::vector<Digest> chunk_digests(BytesView samples);

// Of a shard of so many samples.
Bytes encode_index(const Index& index, uint32_t count);
// Refuses an index of another number of samples or chunks, labels outside the classes and names that
// check_name() (base/text.h) refuses.
Result<Index> decode_index(BytesView bytes, const Manifest& manifest, uint32_t count);

// The name of a sample that has none of its own, from its place in the split: train-00001 is the first. With
// more digits where `count`, the samples of the split, needs them.
std::string numbered_name(Split split, uint64_t index, uint64_t count);

}  // namespace cairn::data
