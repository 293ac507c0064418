#include "data/manifest.h"

#include "base/text.h"

namespace cairn::data {
namespace {

constexpr std::string_view kMagic = "cairn data manifest";
constexpr uint32_t kVersion = 1;
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

std::vector<Shard> read_shards(ByteReader& reader, const char* field, uint64_t image_size) {
  std::vector<Shard> shards(reader.count(field, kShardSize, kMaxShards));
  uint64_t images = 0;
  for (Shard& shard : shards) {
    shard.count = reader.u32(field);
    shard.pixels.bytes = reader.array<32>(field);
    shard.index.bytes = reader.array<32>(field);
    images += shard.count;
    if (shard.count == 0) reader.fail(field, "a shard has no images");
    if (shard.count > kMaxShardSize / image_size) reader.fail(field, "a shard is larger than 64 MiB");
    if (images > kMaxImages) reader.fail(field, "more images than a data set may have");
  }
  return shards;
}

Result<Manifest> decode(BytesView bytes) {
  if (bytes.size() > kMaxManifestSize) return Error{"size: larger than a manifest may be"};
  ByteReader reader(bytes);
  Manifest manifest;
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no data manifest");
  const uint32_t version = reader.u32("version");
  if (version != kVersion) reader.fail("version", std::to_string(version) + " where 1 is known");
  manifest.name = read_name(reader, "name");
  manifest.classes.resize(reader.count("classes", 4, kMaxClasses));
  for (std::string& name : manifest.classes) name = read_name(reader, "classes");
  if (manifest.classes.empty()) reader.fail("classes", "there must be at least one");
  manifest.channels = read_number(reader, "channels", kMaxChannels);
  manifest.height = read_number(reader, "height", kMaxSide);
  manifest.width = read_number(reader, "width", kMaxSide);
  if (manifest.image_size() > kMaxShardSize) reader.fail("width", "an image is larger than 64 MiB");
  CAIRN_CHECK(reader.status());
  manifest.shards[0] = read_shards(reader, "training shards", manifest.image_size());
  manifest.shards[1] = read_shards(reader, "test shards", manifest.image_size());
  if (manifest.shards[0].empty()) reader.fail("training shards", "there must be at least one");
  CAIRN_CHECK(reader.finish());
  return manifest;
}

Result<std::vector<IndexEntry>> decode_entries(BytesView bytes, uint32_t count, uint32_t classes) {
  if (bytes.size() > kMaxShardSize) return Error{"size: larger than an index may be"};
  ByteReader reader(bytes);
  const uint32_t found = reader.count("count", 2 + 4, kMaxImages);
  if (found != count) {
    reader.fail("count", std::to_string(found) + " images where the manifest has " + std::to_string(count));
  }
  CAIRN_CHECK(reader.status());
  std::vector<IndexEntry> index(count);
  for (IndexEntry& entry : index) {
    entry.label = reader.u16("label");
    if (entry.label >= classes) {
      reader.fail("label",
                  std::to_string(entry.label) + " where there are " + std::to_string(classes) + " classes");
    }
    entry.name = read_name(reader, "image name");
  }
  CAIRN_CHECK(reader.finish());
  return index;
}

}  // namespace

uint32_t Manifest::count(Split split) const {
  uint32_t images = 0;
  for (const Shard& shard : of(split)) images += shard.count;
  return images;
}

std::vector<uint32_t> group_counts(const Manifest& manifest, Split split) {
  std::vector<uint32_t> counts;
  for (size_t i = 0; i < manifest.of(split).size(); ++i) {
    if (i % kGroupShards == 0) counts.push_back(0);
    counts.back() += manifest.of(split)[i].count;
  }
  return counts;
}

Bytes encode(const Manifest& manifest) {
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(kVersion);
  writer.string(manifest.name);
  writer.u32(static_cast<uint32_t>(manifest.classes.size()));
  for (const std::string& name : manifest.classes) writer.string(name);
  writer.u32(manifest.channels);
  writer.u32(manifest.height);
  writer.u32(manifest.width);
  for (const std::vector<Shard>& shards : manifest.shards) {
    writer.u32(static_cast<uint32_t>(shards.size()));
    for (const Shard& shard : shards) {
      writer.u32(shard.count);
      writer.raw(shard.pixels.bytes);
      writer.raw(shard.index.bytes);
    }
  }
  return writer.take();
}

Result<Manifest> decode_manifest(BytesView bytes) {
  Result<Manifest> manifest = decode(bytes);
  if (!manifest) return manifest.error().within("data manifest");
  return manifest;
}

Bytes encode_index(const std::vector<IndexEntry>& index) {
  ByteWriter writer;
  writer.u32(static_cast<uint32_t>(index.size()));
  for (const IndexEntry& entry : index) {
    writer.u16(entry.label);
    writer.string(entry.name);
  }
  return writer.take();
}

Result<std::vector<IndexEntry>> decode_index(BytesView bytes, uint32_t count, uint32_t classes) {
  Result<std::vector<IndexEntry>> index = decode_entries(bytes, count, classes);
  if (!index) return index.error().within("shard index");
  return index;
}

}  // namespace cairn::data
