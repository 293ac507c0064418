#include "data/manifest.h"

#include <algorithm>

#include "base/text.h"

namespace cairn::data {
namespace {

constexpr std::string_view kMagic = "cairn data manifest";
constexpr uint32_t kVersion = 2;
constexpr size_t kGroupSize = 4 + 32;
constexpr size_t kShardSize = 4 + 32 + 32;

std::string read_name(ByteReader& reader, const char* field) {
  std::string name = reader.string(field, kMaxNameSize);
  if (!reader.ok()) return name;
  if (const Status status = check_name(name, kMaxNameSize); !status)
    reader.fail(field, status.error().message);
  return name;
}

uint32_t read_number(ByteReader& reader, const char* field, uint32_t high) {
  const uint32_t value = reader.u32(field);
  if (value == 0 || value > high) {
    reader.fail(field, std::to_string(value) + " is not between 1 and " + std::to_string(high));
  }
  return value;
}

void read_images(ByteReader& reader, Manifest& manifest) {
  manifest.classes.resize(reader.count("classes", 4, kMaxClasses));
  for (std::string& name : manifest.classes) name = read_name(reader, "classes");
  if (manifest.classes.empty()) reader.fail("classes", "there must be at least one");
  manifest.channels = read_number(reader, "channels", kMaxChannels);
  manifest.height = read_number(reader, "height", kMaxSide);
  manifest.width = read_number(reader, "width", kMaxSide);
  if (manifest.sample_size() > kMaxShardSize) reader.fail("width", "an image is larger than 64 MiB");
}

void read_text(ByteReader& reader, Manifest& manifest) {
  manifest.context = read_number(reader, "context", kMaxContext);
  manifest.vocabulary = read_number(reader, "vocabulary", kMaxVocabulary);
  manifest.tokens.bytes = reader.array<32>("tokens");
}

std::vector<Group> read_groups(ByteReader& reader, const char* field, uint64_t sample_size) {
  std::vector<Group> groups(reader.count(field, kGroupSize, kMaxGroups));
  uint64_t samples = 0;
  for (Group& group : groups) {
    group.count = reader.u32(field);
    group.page.bytes = reader.array<32>(field);
    samples += group.count;
    if (group.count == 0) reader.fail(field, "a group has no samples");
    if (group.count > kGroupShards * (kMaxShardSize / sample_size)) {
      reader.fail(field, "a group is larger than eight shards of 64 MiB");
    }
    if (samples > kMaxImages) reader.fail(field, "more samples than a data set may have");
  }
  return groups;
}

Result<Manifest> decode(BytesView bytes) {
  if (bytes.size() > kMaxManifestSize) return Error{"size: larger than a manifest may be"};
  ByteReader reader(bytes);
  Manifest manifest;
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no data manifest");
  const uint32_t version = reader.u32("version");
  if (version != kVersion) reader.fail("version", std::to_string(version) + " where 2 is known");
  manifest.name = read_name(reader, "name");
  const uint8_t kind = reader.u8("kind");
  if (kind > static_cast<uint8_t>(Kind::text)) reader.fail("kind", "is neither images (0) nor text (1)");
  CAIRN_CHECK(reader.status());
  manifest.kind = static_cast<Kind>(kind);
  manifest.kind == Kind::images ? read_images(reader, manifest) : read_text(reader, manifest);
  CAIRN_CHECK(reader.status());
  manifest.groups[0] = read_groups(reader, "training groups", manifest.sample_size());
  manifest.groups[1] = read_groups(reader, "test groups", manifest.sample_size());
  if (manifest.groups[0].empty()) reader.fail("training groups", "there must be at least one");
  CAIRN_CHECK(reader.finish());
  return manifest;
}

Result<std::vector<Shard>> decode_shards(BytesView bytes, const Manifest& manifest, const Group& group) {
  ByteReader reader(bytes);
  std::vector<Shard> shards(reader.count("shards", kShardSize, kGroupShards));
  uint64_t samples = 0;
  for (Shard& shard : shards) {
    shard.count = reader.u32("shards");
    shard.samples.bytes = reader.array<32>("shards");
    shard.index.bytes = reader.array<32>("shards");
    samples += shard.count;
    if (shard.count == 0) reader.fail("shards", "one has no samples");
    if (shard.count > kMaxShardSize / manifest.sample_size()) {
      reader.fail("shards", "one is larger than 64 MiB");
    }
  }
  if (samples != group.count) {
    reader.fail("shards", "hold " + std::to_string(samples) + " samples where the manifest says " +
                              std::to_string(group.count));
  }
  CAIRN_CHECK(reader.finish());
  return shards;
}

void read_entries(ByteReader& reader, uint32_t classes, std::vector<IndexEntry>& entries) {
  for (IndexEntry& entry : entries) {
    if (!reader.ok()) return;
    entry.label = reader.u16("label");
    if (entry.label >= classes) {
      reader.fail("label",
                  std::to_string(entry.label) + " where there are " + std::to_string(classes) + " classes");
    }
    entry.name = read_name(reader, "image name");
  }
}

Result<Index> decode_entries(BytesView bytes, const Manifest& manifest, uint32_t count) {
  if (bytes.size() > kMaxShardSize) return Error{"size: larger than an index may be"};
  ByteReader reader(bytes);
  const uint32_t found = reader.u32("count");
  if (found != count) {
    reader.fail("count", std::to_string(found) + " samples where the manifest has " + std::to_string(count));
  }
  Index index;
  index.chunks.resize(reader.count("chunks", 32, kMaxShardSize / kChunkSize));
  const uint64_t chunks = (count * manifest.sample_size() + kChunkSize - 1) / kChunkSize;
  if (index.chunks.size() != chunks) {
    reader.fail("chunks", std::to_string(index.chunks.size()) + " where " + std::to_string(count) +
                              " samples have " + std::to_string(chunks));
  }
  for (Digest& chunk : index.chunks) chunk.bytes = reader.array<32>("chunks");
  if (manifest.kind == Kind::images && reader.ok()) {
    if (reader.remaining() / (2 + 4) < count) reader.fail("label", "the input ends too early");
    CAIRN_CHECK(reader.status());
    index.entries.resize(count);
    read_entries(reader, manifest.class_count(), index.entries);
  }
  CAIRN_CHECK(reader.finish());
  return index;
}

}  // namespace

uint32_t Manifest::count(Split split) const {
  uint32_t samples = 0;
  for (const Group& group : of(split)) samples += group.count;
  return samples;
}

uint64_t Manifest::sample_size() const {
  if (kind == Kind::text) return 2 * (uint64_t{context} + 1);
  return uint64_t{channels} * height * width;
}

uint32_t Manifest::class_count() const {
  return kind == Kind::text ? vocabulary : static_cast<uint32_t>(classes.size());
}

Bytes encode(const Manifest& manifest) {
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(kVersion);
  writer.string(manifest.name);
  writer.u8(static_cast<uint8_t>(manifest.kind));
  if (manifest.kind == Kind::images) {
    writer.u32(static_cast<uint32_t>(manifest.classes.size()));
    for (const std::string& name : manifest.classes) writer.string(name);
    for (const uint32_t size : {manifest.channels, manifest.height, manifest.width}) writer.u32(size);
  } else {
    writer.u32(manifest.context);
    writer.u32(manifest.vocabulary);
    writer.raw(manifest.tokens.bytes);
  }
  for (const std::vector<Group>& groups : manifest.groups) {
    writer.u32(static_cast<uint32_t>(groups.size()));
    for (const Group& group : groups) {
      writer.u32(group.count);
      writer.raw(group.page.bytes);
    }
  }
  return writer.take();
}

Result<Manifest> decode_manifest(BytesView bytes) {
  Result<Manifest> manifest = decode(bytes);
  if (!manifest) return manifest.error().within("data manifest");
  return manifest;
}

Bytes encode_page(const std::vector<Shard>& shards) {
  ByteWriter writer;
  writer.u32(static_cast<uint32_t>(shards.size()));
  for (const Shard& shard : shards) {
    writer.u32(shard.count);
    writer.raw(shard.samples.bytes);
    writer.raw(shard.index.bytes);
  }
  return writer.take();
}

Result<std::vector<Shard>> decode_page(BytesView bytes, const Manifest& manifest, const Group& group) {
  Result<std::vector<Shard>> shards = decode_shards(bytes, manifest, group);
  if (!shards) return shards.error().within("manifest page");
  return shards;
}

std::vector<Digest> chunk_digests(BytesView samples) {
  std::vector<Digest> digests;
  for (size_t first = 0; first < samples.size(); first += kChunkSize) {
    digests.push_back(sha256(samples.subspan(first, std::min<size_t>(kChunkSize, samples.size() - first))));
  }
  return digests;
}

Bytes encode_index(const Index& index, uint32_t count) {
  ByteWriter writer;
  writer.u32(count);
  writer.u32(static_cast<uint32_t>(index.chunks.size()));
  for (const Digest& chunk : index.chunks) writer.raw(chunk.bytes);
  for (const IndexEntry& entry : index.entries) {
    writer.u16(entry.label);
    writer.string(entry.name);
  }
  return writer.take();
}

Result<Index> decode_index(BytesView bytes, const Manifest& manifest, uint32_t count) {
  Result<Index> index = decode_entries(bytes, manifest, count);
  if (!index) return index.error().within("shard index");
  return index;
}

std::string numbered_name(Split split, uint64_t index, uint64_t count) {
  const std::string digits = std::to_string(index + 1);
  const size_t width = std::max<size_t>(5, std::to_string(count).size());
  return (split == Split::train ? "train-" : "test-") + std::string(width - digits.size(), '0') + digits;
}

}  // namespace cairn::data
