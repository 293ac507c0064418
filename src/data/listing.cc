#include "data/listing.h"

#include <algorithm>

#include "base/file.h"

namespace cairn::data {
namespace {

constexpr size_t kParts = 256;
constexpr size_t kPartBuffer = 64 << 10;      // bytes
constexpr uint64_t kMaxPartSize = 512 << 20;  // bytes: of 2^31 images with long names
constexpr size_t kReadAhead = 256 << 10;      // bytes
constexpr size_t kMaxItem = 2 + 4 + 8 + 8 + 4 + kMaxNameSize;
constexpr size_t kCountSize = 8;  // ends the file

Digest order_of(const Item& item) {
  return sha256(as_bytes(item.name));
}

void encode_item(const Item& item, Bytes& out) {
  ByteWriter writer;
  writer.u16(item.label);
  writer.u32(item.file);
  writer.u64(item.place);
  writer.u64(item.size);
  writer.string(item.name);
  out.insert(out.end(), writer.bytes().begin(), writer.bytes().end());
}

Item read_item(ByteReader& reader) {
  Item item;
  item.label = reader.u16("label");
  item.file = reader.u32("file");
  item.place = reader.u64("place");
  item.size = reader.u64("size");
  item.name = reader.string("name", kMaxNameSize);
  return item;
}

}  // namespace

Result<std::optional<Listing>> Listing::open(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {std::nullopt};
  Listing listing(path);
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error || size < kCountSize) return Error{path.string() + ": is damaged; delete it and begin again"};
  CAIRN_TRY(const Bytes count, read_part(path, size - kCountSize, kCountSize));
  listing.count_ = ByteReader(count).u64("count");
  listing.size_ = size - kCountSize;
  return {std::move(listing)};
}

Status Listing::fill() {
  const uint64_t more = std::min<uint64_t>(kReadAhead, size_ - place_);
  if (more == 0 || buffer_.size() - used_ >= kMaxItem) return {};
  CAIRN_TRY(const Bytes piece, read_part(path_, place_, more));
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(used_));
  buffer_.insert(buffer_.end(), piece.begin(), piece.end());
  used_ = 0;
  place_ += more;
  return {};
}

Result<Item> Listing::next() {
  CAIRN_CHECK(fill());
  ByteReader reader(BytesView(buffer_).subspan(used_));
  Item item = read_item(reader);
  if (const Status status = reader.status(); !status) {
    return Error{path_.string() + ": " + status.error().message + "; delete the folder and begin again"};
  }
  used_ += reader.position();
  ++item_;
  return item;
}

Result<std::vector<Item>> Listing::read(uint64_t first, uint64_t count) {
  CAIRN_ASSERT(first <= count_ && count <= count_ - first);
  if (first < item_) {
    item_ = place_ = used_ = 0;
    buffer_.clear();
  }
  while (item_ < first) CAIRN_CHECK(next());
  std::vector<Item> items;
  for (uint64_t i = 0; i < count; ++i) {
    CAIRN_TRY(Item item, next());
    items.push_back(std::move(item));
  }
  return items;
}

ListingBuilder::ListingBuilder(std::filesystem::path path) : path_(std::move(path)), parts_(kParts) {
  std::error_code error;
  for (size_t i = 0; i < kParts; ++i) std::filesystem::remove(part(i), error);
}

std::filesystem::path ListingBuilder::part(size_t number) const {
  return path_.string() + ".part" + std::to_string(number);
}

Status ListingBuilder::flush(size_t number) {
  CAIRN_TRY(const auto file, AppendFile::open(part(number)));
  CAIRN_CHECK(file->append(parts_[number]));
  parts_[number].clear();
  return {};
}

Status ListingBuilder::add(const Item& item) {
  if (++added_ > kMaxImages)
    return Error{"there are more samples than the " + std::to_string(kMaxImages) +
                 " that a data set may have"};
  const size_t number = order_of(item).bytes[0];
  encode_item(item, parts_[number]);
  return parts_[number].size() < kPartBuffer ? Status() : flush(number);
}

Status ListingBuilder::write_part(size_t number, AppendFile& out,
                                  const std::function<Status(const Item&)>& on_repeated) {
  CAIRN_TRY(const Bytes bytes, read_file(part(number), kMaxPartSize));
  std::vector<std::pair<Digest, Item>> items;
  for (ByteReader reader(bytes); reader.remaining() > 0;) {
    Item item = read_item(reader);
    CAIRN_CHECK(reader.status());
    const Digest order = order_of(item);
    items.emplace_back(order, std::move(item));
  }
  std::ranges::stable_sort(items, {}, [](const auto& pair) { return pair.first; });
  Bytes sorted;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && items[i].first == items[i - 1].first) {
      CAIRN_CHECK(on_repeated(items[i].second));
      continue;
    }
    encode_item(items[i].second, sorted);
    ++kept_;
  }
  return out.append(sorted);
}

Status ListingBuilder::finish(const std::function<Status(const Item&)>& on_repeated) {
  const std::filesystem::path unfinished = path_.string() + ".new";
  std::error_code error;
  std::filesystem::remove(unfinished, error);
  CAIRN_TRY(const auto out, AppendFile::open(unfinished));
  for (size_t i = 0; i < kParts; ++i) {
    CAIRN_CHECK(flush(i));
    CAIRN_CHECK(write_part(i, *out, on_repeated));
    std::filesystem::remove(part(i), error);
  }
  ByteWriter count;
  count.u64(kept_);
  CAIRN_CHECK(out->append(count.bytes()));
  CAIRN_CHECK(out->sync());
  std::filesystem::rename(unfinished, path_, error);
  if (error) return Error{path_.string() + ": cannot be made: " + error.message()};
  return sync_directory(path_.parent_path());
}

}  // namespace cairn::data
