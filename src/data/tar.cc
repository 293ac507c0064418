#include "data/tar.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "data/append_file.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBlock = 512;
constexpr uint64_t kMaxHeaderContent = 1 << 20;  // bytes: of a long name or of pax records

// A number as octal digits, or as GNU tar writes large ones: base 256 behind a set bit. Nothing where it is
// neither.
std::optional<uint64_t> parse_number(BytesView field) {
  uint64_t value = 0;
  if (field[0] == 0x80) {
    for (const uint8_t byte : field.subspan(1)) {
      if (value >> 55 != 0) return {};
      value = value << 8 | byte;
    }
    return value;
  }
  size_t i = 0;
  while (i < field.size() && field[i] == ' ') ++i;
  for (; i < field.size() && field[i] != ' ' && field[i] != 0; ++i) {
    if (field[i] < '0' || field[i] > '7') return {};
    value = value * 8 + (field[i] - '0');
  }
  return value;
}

std::string parse_text(BytesView field) {
  const auto end = std::ranges::find(field, uint8_t{0});
  return {field.begin(), end};
}

bool sum_fits(BytesView header) {
  constexpr size_t kSum = 148, kSumSize = 8;
  uint64_t sum = kSumSize * ' ';
  for (size_t i = 0; i < header.size(); ++i) sum += i >= kSum && i < kSum + kSumSize ? 0 : header[i];
  return parse_number(header.subspan(kSum, kSumSize)) == sum;
}

// What pax records say of the next member: lines of "LENGTH KEY=VALUE".
struct Pax {
  std::string path;
  std::optional<uint64_t> size;

  bool read(std::string_view records) {
    while (!records.empty() && records[0] != 0) {
      size_t length = 0;
      const auto [end, error] = std::from_chars(records.data(), records.data() + records.size(), length);
      const auto digits = static_cast<size_t>(end - records.data());
      if (error != std::errc() || length <= digits + 1 || length > records.size()) return false;
      const std::string_view record = records.substr(digits + 1, length - digits - 2);
      if (record.starts_with("path=")) path = record.substr(5);
      if (record.starts_with("size=")) {
        uint64_t value = 0;
        if (std::from_chars(record.data() + 5, record.data() + record.size(), value).ec != std::errc())
          return false;
        size = value;
      }
      records.remove_prefix(length);
    }
    return true;
  }
};

class Reading {
 public:
  explicit Reading(fs::path path) : path_(std::move(path)) {}

  Status run(const std::function<Status(const TarMember&)>& visit) {
    std::error_code error;
    size_ = fs::file_size(path_, error);
    if (error) return Error{path_.string() + ": cannot be read: " + error.message()};
    while (place_ < size_) {
      if (size_ - place_ < kBlock) return damaged("ends too early");
      CAIRN_TRY(const Bytes header, read_part(path_, place_, kBlock));
      if (std::ranges::all_of(header, [](uint8_t byte) { return byte == 0; })) return {};
      if (!sum_fits(header)) return damaged("is no tar header");
      CAIRN_CHECK(member(header, visit));
    }
    return damaged("ends too early");
  }

 private:
  Error damaged(const std::string& what) const {
    return {path_.string() + ": at byte " + std::to_string(place_) + ": " + what + "; get the archive again"};
  }

  Status member(const Bytes& header, const std::function<Status(const TarMember&)>& visit) {
    const BytesView view(header);
    const auto stated = parse_number(view.subspan(124, 12));
    if (!stated) return damaged("has no size");
    const uint64_t size = pax_.size.value_or(*stated), content = place_ + kBlock;
    const uint64_t padded = size + (kBlock - size % kBlock) % kBlock;
    if (size > size_ - content || padded > size_ - content) return damaged("ends too early");
    const char kind = static_cast<char>(header[156]);
    if (kind == 'x' || kind == 'L') {
      CAIRN_CHECK(extension(kind, content, size));
    } else {
      if (kind == '0' || kind == 0) CAIRN_CHECK(visit({name_of(view), content, size}));
      pax_ = {};
    }
    place_ = content + padded;
    return {};
  }

  Status extension(char kind, uint64_t content, uint64_t size) {
    if (size > kMaxHeaderContent) return damaged("has a name that is too long");
    CAIRN_TRY(const Bytes bytes, read_part(path_, content, size));
    if (kind == 'L') {
      pax_.path = parse_text(bytes);
    } else if (!pax_.read(std::string(bytes.begin(), bytes.end()))) {
      return damaged("has pax records that cannot be read");
    }
    return {};
  }

  std::string name_of(BytesView header) const {
    if (!pax_.path.empty()) return pax_.path;
    const std::string name = parse_text(header.first(100)), prefix = parse_text(header.subspan(345, 155));
    const bool ustar = parse_text(header.subspan(257, 5)) == "ustar";
    return ustar && !prefix.empty() ? prefix + "/" + name : name;
  }

  fs::path path_;
  uint64_t size_ = 0, place_ = 0;
  Pax pax_;
};

}  // namespace

Status for_tar_members(const fs::path& path, const std::function<Status(const TarMember&)>& visit) {
  return Reading(path).run(visit);
}

}  // namespace cairn::data
