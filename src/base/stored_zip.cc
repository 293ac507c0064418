#include "base/stored_zip.h"

#include <zlib.h>

#include <limits>
#include <set>

namespace cairn {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryHeader = 0x02014b50;
constexpr uint32_t kEndOfDirectory = 0x06054b50;
constexpr size_t kLocalHeaderSize = 30;
constexpr size_t kEndSize = 22;
constexpr uint64_t kMaxFileSize = std::numeric_limits<uint32_t>::max() - 1;
constexpr uint16_t kZipVersion = 20;
constexpr uint16_t kFirstDay = 0x21;        // 1980-01-01 as a DOS date
constexpr uint16_t kPaddingField = 0x4246;  // "FB": PyTorch's
constexpr size_t kFieldHeader = 4;

// The fields that a local header and a directory entry share, from "flags" to "extra length".
void write_common(ByteWriter& out, const std::string& name, uint32_t crc, uint32_t size, size_t extra) {
  constexpr uint16_t kUtf8Names = 1 << 11;
  out.u16(kUtf8Names);
  out.u16(0);  // stored
  out.u16(0);  // time
  out.u16(kFirstDay);
  out.u32(crc);
  out.u32(size);  // compressed
  out.u32(size);
  out.u16(static_cast<uint16_t>(name.size()));
  out.u16(static_cast<uint16_t>(extra));
}

// Of the extra field after which an entry that would begin at `begin` begins at a multiple of `alignment`.
size_t padding_size(uint64_t begin, uint32_t alignment) {
  if (begin % alignment == 0) return 0;
  return kFieldHeader + (alignment - (begin + kFieldHeader) % alignment) % alignment;
}

void write_padding(ByteWriter& out, size_t size) {
  if (size == 0) return;
  out.u16(kPaddingField);
  out.u16(static_cast<uint16_t>(size - kFieldHeader));
  for (size_t i = kFieldHeader; i < size; ++i) out.u8('Z');
}

}  // namespace

uint32_t zip_checksum(BytesView bytes, uint32_t seed) {
  // crc32_z takes a null buffer as the wish for its initial value.
  return bytes.empty() ? seed : static_cast<uint32_t>(::crc32_z(seed, bytes.data(), bytes.size()));
}

void StoredZip::add(std::string_view name, std::initializer_list<BytesView> pieces, uint32_t alignment) {
  if (!error_.empty()) return;
  uint64_t size = 0;
  uint32_t crc = 0;
  for (const BytesView piece : pieces) {
    size += piece.size();
    crc = zip_checksum(piece, crc);
  }
  const uint64_t offset = file_.bytes().size();
  const size_t extra = padding_size(offset + kLocalHeaderSize + name.size(), alignment);
  if (entries_.size() >= kMaxZipEntries ||
      offset + kLocalHeaderSize + name.size() + extra + size > kMaxFileSize) {
    error_ = std::string(name) + " does not fit: the archive holds at most " +
             std::to_string(kMaxZipEntries) + " entries and 4 GiB";
    return;
  }
  Entry entry{std::string(name), offset, static_cast<uint32_t>(size), crc};
  file_.u32(kLocalHeader);
  file_.u16(kZipVersion);
  write_common(file_, entry.name, entry.crc, entry.size, extra);
  file_.raw(as_bytes(entry.name));
  write_padding(file_, extra);
  for (const BytesView piece : pieces) file_.raw(piece);
  entries_.push_back(std::move(entry));
}

Result<Bytes> StoredZip::finish() {
  if (!error_.empty()) return Error{error_};
  std::set<std::string_view> names;
  const uint64_t directory = file_.bytes().size();
  for (const Entry& entry : entries_) {
    if (!names.insert(entry.name).second) return Error{"two entries are named " + entry.name};
    file_.u32(kDirectoryHeader);
    file_.u16(kZipVersion);  // made by
    file_.u16(kZipVersion);  // needed
    write_common(file_, entry.name, entry.crc, entry.size, 0);
    file_.u16(0);  // comment
    file_.u16(0);  // disk
    file_.u16(0);  // internal attributes
    file_.u32(0);  // external attributes
    file_.u32(static_cast<uint32_t>(entry.offset));
    file_.raw(as_bytes(entry.name));
  }
  const uint64_t end = file_.bytes().size();
  if (end + kEndSize > kMaxFileSize) return Error{"the archive holds at most 4 GiB"};
  file_.u32(kEndOfDirectory);
  file_.u16(0);
  file_.u16(0);
  file_.u16(static_cast<uint16_t>(entries_.size()));
  file_.u16(static_cast<uint16_t>(entries_.size()));
  file_.u32(static_cast<uint32_t>(end - directory));
  file_.u32(static_cast<uint32_t>(directory));
  file_.u16(0);
  return file_.take();
}

}  // namespace cairn
