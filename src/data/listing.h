// Which samples a split has and where each of them lies, in an order that depends on their names alone: that
// of the SHA-256 of the name. Folders come class by class; a data set has to come mixed, so that each group
// of its shards is like the whole.
//
// A listing is a file, because a data set may have more names than memory: they are sorted in 256 parts.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/append_file.h"
#include "data/manifest.h"

namespace cairn::data {

struct Item {
  std::string name;
  uint16_t label = 0;
  uint32_t file = 0;  // where the source has it: what this means is its own affair
  uint64_t place = 0, size = 0;
  bool operator==(const Item&) const = default;
};

class Listing {
 public:
  // One that was made whole, or nothing.
  static Result<std::optional<Listing>> open(const std::filesystem::path& path);

  uint64_t count() const { return count_; }
  // The items [first, first + count). Fastest where they follow the last that were read. Precondition: there
  // are so many.
  Result<std::vector<Item>> read(uint64_t first, uint64_t count);

 private:
  explicit Listing(std::filesystem::path path) : path_(std::move(path)) {}
  Status fill();
  Result<Item> next();

  std::filesystem::path path_;
  uint64_t count_ = 0, size_ = 0;
  uint64_t item_ = 0;   // that next() gives
  uint64_t place_ = 0;  // of the first byte that is not in the buffer
  Bytes buffer_;
  size_t used_ = 0;  // bytes of the buffer
};

class ListingBuilder {
 public:
  // Makes the file `path` once all items are there; until then parts of it lie beside.
  explicit ListingBuilder(std::filesystem::path path);

  Status add(const Item& item);
  // Sorts. Of several items of one name, the first that was added stays, and `on_repeated` hears of the
  // others.
  Status finish(const std::function<Status(const Item&)>& on_repeated);

 private:
  std::filesystem::path part(size_t number) const;
  Status flush(size_t number);
  Status write_part(size_t number, AppendFile& out, const std::function<Status(const Item&)>& on_repeated);

  std::filesystem::path path_;
  std::vector<Bytes> parts_;  // not yet written
  uint64_t added_ = 0, kept_ = 0;
};

}  // namespace cairn::data
