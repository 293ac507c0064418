#include "base/npz.h"

#include <bit>
#include <charconv>
#include <set>

namespace cairn {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are written as they lie in memory");

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryHeader = 0x02014b50;
constexpr uint32_t kEndOfDirectory = 0x06054b50;
constexpr size_t kEndSize = 22;
constexpr size_t kDirectoryEntrySize = 46;

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kHeaderAlignment = 64;

struct TypeName {
  NpzType type;
  std::string_view descr;
  size_t size;
};
constexpr TypeName kTypes[] = {{NpzType::u8, "|u1", 1},
                               {NpzType::i32, "<i4", 4},
                               {NpzType::i64, "<i8", 8},
                               {NpzType::f32, "<f4", 4},
                               {NpzType::f64, "<f8", 8}};

const TypeName& type_name(NpzType type) {
  return kTypes[static_cast<size_t>(type)];
}

// The header of a .npy array, format 1.0: padded so that the values begin at a multiple of 64 bytes.
Bytes array_header(std::span<const int64_t> shape, NpzType type) {
  std::string text =
      "{'descr': '" + std::string(type_name(type).descr) + "', 'fortran_order': False, 'shape': (";
  for (int64_t size : shape) text += std::to_string(size) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) text.resize(text.size() - 2);
  text += "), }";
  constexpr size_t kPrefix = kMagic.size() + 4;
  const size_t unpadded = kPrefix + text.size() + 1;
  text.append((kHeaderAlignment - unpadded % kHeaderAlignment) % kHeaderAlignment, ' ');
  text += '\n';

  ByteWriter writer;
  writer.raw(as_bytes(kMagic));
  writer.u8(1);
  writer.u8(0);
  writer.u16(static_cast<uint16_t>(text.size()));
  writer.raw(as_bytes(text));
  return writer.take();
}

}  // namespace

void NpzWriter::add_array(std::string_view name, std::span<const int64_t> shape, NpzType type,
                          BytesView data) {
  uint64_t count = 1;
  for (int64_t size : shape) count *= static_cast<uint64_t>(size);
  CAIRN_ASSERT(count * type_name(type).size == data.size() && shape.size() <= kMaxNpzRank);
  if (!error_.empty()) return;
  if (name.empty() || name.size() > kMaxNpzName) {
    error_ = "an array's name must have 1 to " + std::to_string(kMaxNpzName) + " bytes";
    return;
  }

  const Bytes header = array_header(shape, type);
  zip_.add(std::string(name) + ".npy", {header, data});
}

Result<Bytes> NpzWriter::finish() {
  if (!error_.empty()) return Error{error_};
  return zip_.finish();
}

namespace {

// Reads the text of a .npy header: a Python dictionary, with its keys in the order that NumPy writes.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : text_(text) {}

  bool take(std::string_view expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }
  bool number(int64_t& value) {
    auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) return false;
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return true;
  }
  bool only_padding() const { return text_.find_first_not_of(" \n") == std::string_view::npos; }

 private:
  std::string_view text_;
};

bool parse_shape(HeaderText& text, std::vector<int64_t>& shape) {
  if (!text.take("(")) return false;
  while (!text.take(")")) {
    int64_t size = 0;
    if (shape.size() >= kMaxNpzRank || !text.number(size)) return false;
    shape.push_back(size);
    if (!text.take(", ") && !text.take(",")) return text.take(")");
  }
  return true;
}

bool parse_header(std::string_view header, NpzArray& array) {
  HeaderText text(header);
  if (!text.take("{'descr': '")) return false;
  const TypeName* found = nullptr;
  for (const TypeName& type : kTypes) {
    if (text.take(type.descr)) {
      found = &type;
      break;
    }
  }
  if (found == nullptr) return false;
  array.type = found->type;
  return text.take("', 'fortran_order': False, 'shape': ") && parse_shape(text, array.shape) &&
         (text.take(", }") || text.take("}")) && text.only_padding();
}

// A .npy array of format 1.0 (u16 header length) or 2.0 (u32).
Status read_array(BytesView bytes, NpzArray& array) {
  ByteReader in(bytes);
  const BytesView magic = in.raw("magic", kMagic.size());
  if (!in.ok() || std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0)
    return Error{"is no .npy array"};
  const uint8_t version = in.u8("version");
  in.u8("version");
  if (version != 1 && version != 2) return Error{"has an unknown .npy version"};
  const uint32_t length = version == 1 ? in.u16("header length") : in.u32("header length");
  const BytesView header = in.raw("header", length);
  CAIRN_CHECK(in.status());
  if (!parse_header({reinterpret_cast<const char*>(header.data()), header.size()}, array)) {
    return Error{"has a .npy header that is not of a plain C-order array of u1, i4, i8, f4 or f8"};
  }
  uint64_t size = type_name(array.type).size;
  for (int64_t extent : array.shape) {
    if (__builtin_mul_overflow(size, static_cast<uint64_t>(extent), &size))
      return Error{"has a shape that overflows"};
  }
  if (size != in.remaining()) return Error{"has a shape that does not match its size"};
  array.data = in.raw("values", in.remaining());
  return {};
}

struct DirectoryEntry {
  std::string name;
  uint32_t crc;
  uint32_t size;
  uint32_t offset;
};

Result<DirectoryEntry> read_directory_entry(ByteReader& in) {
  if (in.u32("directory entry") != kDirectoryHeader) return Error{"the zip directory is damaged"};
  in.u32("versions");
  const uint16_t flags = in.u16("flags");
  const uint16_t method = in.u16("method");
  in.u32("date");
  DirectoryEntry entry{};
  entry.crc = in.u32("checksum");
  const uint32_t compressed = in.u32("compressed size");
  entry.size = in.u32("size");
  const uint16_t name_size = in.u16("name length");
  const uint16_t extra_size = in.u16("extra length");
  const uint16_t comment_size = in.u16("comment length");
  in.raw("attributes", 8);
  entry.offset = in.u32("offset");
  const BytesView name = in.raw("name", name_size);
  entry.name.assign(name.begin(), name.end());
  in.raw("extra", extra_size);
  in.raw("comment", comment_size);
  CAIRN_CHECK(in.status());
  if ((flags & 1) != 0) return Error{entry.name + " is encrypted"};
  if (method != 0 || compressed != entry.size) return Error{entry.name + " is compressed: use numpy.savez"};
  return entry;
}

// Sizes come from the directory: a local header may leave them to its zip64 field.
Result<NpzArray> read_entry(BytesView file, const DirectoryEntry& entry) {
  if (entry.offset > file.size()) return Error{entry.name + " lies outside the file"};
  ByteReader in(file.subspan(entry.offset));
  if (in.u32("local header") != kLocalHeader) return Error{entry.name + " has no local header"};
  in.raw("local header", 22);
  const uint16_t name_size = in.u16("name length");
  const uint16_t extra_size = in.u16("extra length");
  in.raw("name", name_size);
  in.raw("extra", extra_size);
  const BytesView bytes = in.raw("values", entry.size);
  if (!in.ok()) return in.status().error().within(entry.name);
  if (zip_checksum(bytes) != entry.crc)
    return Error{entry.name + " has a wrong checksum: the file is damaged"};

  constexpr std::string_view kSuffix = ".npy";
  NpzArray array{};
  array.name = entry.name;
  if (array.name.size() <= kSuffix.size() || !array.name.ends_with(kSuffix) ||
      array.name.size() > kMaxNpzName + kSuffix.size()) {
    return Error{"an entry of the archive is no named .npy array"};
  }
  array.name.resize(array.name.size() - kSuffix.size());
  if (Status status = read_array(bytes, array); !status)
    return Error{entry.name + " " + status.error().message};
  return array;
}

}  // namespace

Result<std::vector<NpzArray>> read_npz(BytesView file) {
  // No comment may follow the end record, so it is the last 22 bytes.
  if (file.size() < kEndSize) return Error{"too short for an .npz file"};
  ByteReader end(file.last(kEndSize));
  if (end.u32("end") != kEndOfDirectory) return Error{"no .npz file: the zip directory's end is missing"};
  end.u32("disks");
  end.u16("entries here");
  const uint16_t count = end.u16("entries");
  const uint32_t size = end.u32("directory size");
  const uint32_t offset = end.u32("directory offset");
  if (uint64_t{offset} + size != file.size() - kEndSize || size / kDirectoryEntrySize < count) {
    return Error{"the zip directory does not end where the file does"};
  }

  ByteReader directory(file.subspan(offset, size));
  std::vector<NpzArray> arrays;
  std::set<std::string> names;
  uint64_t claimed = 0;  // entries may not overlap, or a small file could unpack to a large one
  for (uint16_t i = 0; i < count; ++i) {
    CAIRN_TRY(DirectoryEntry entry, read_directory_entry(directory));
    claimed += entry.size;
    if (claimed > offset) return Error{entry.name + " overlaps another entry"};
    if (!names.insert(entry.name).second) return Error{"two arrays are named " + entry.name};
    CAIRN_TRY(NpzArray array, read_entry(file.first(offset), entry));
    arrays.push_back(std::move(array));
  }
  CAIRN_CHECK(directory.finish());
  return arrays;
}

}  // namespace cairn
