#include "data/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "data/append_file.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPiece = 1 << 20;   // bytes that are read at once
constexpr size_t kMaxLine = 16 << 20;  // bytes

// A table line by line.
class Lines {
 public:
  static Result<Lines> open(const fs::path& path) {
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    if (error) return Error{path.string() + ": cannot be read: " + error.message()};
    return Lines(path, size);
  }

  // False at the end. `place` is where the line begins.
  Result<bool> next(std::string& line, uint64_t& place) {
    for (;;) {
      const size_t end = buffer_.find('\n', used_);
      if (end != std::string::npos || (read_ == size_ && used_ < buffer_.size())) {
        const size_t stop = std::min(end, buffer_.size());
        place = begin_ + used_;
        line = buffer_.substr(used_, stop - used_);
        if (line.ends_with('\r')) line.pop_back();
        used_ = std::min(stop + 1, buffer_.size());
        return true;
      }
      if (read_ == size_) return false;
      if (buffer_.size() - used_ > kMaxLine)
        return Error{path_.string() + ": has a line of more than 16 MiB"};
      begin_ += used_;
      buffer_.erase(0, std::exchange(used_, 0));
      CAIRN_TRY(const Bytes more, read_part(path_, read_, std::min(kPiece, size_ - read_)));
      buffer_.append(more.begin(), more.end());
      read_ += more.size();
    }
  }

 private:
  Lines(fs::path path, uint64_t size) : path_(std::move(path)), size_(size) {}
  fs::path path_;
  uint64_t size_, read_ = 0, begin_ = 0;  // of the file; bytes read; where the buffer begins
  std::string buffer_;
  size_t used_ = 0;
};

// Nothing where quotes are not as they should be.
std::optional<std::vector<std::string>> fields_of(std::string_view line) {
  std::vector<std::string> fields(1);
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == ',') {
      fields.emplace_back();
    } else if (line[i] != '"') {
      fields.back() += line[i];
    } else {
      if (!fields.back().empty()) return {};
      for (++i;; ++i) {
        if (i >= line.size()) return {};
        if (line[i] == '"' && (i + 1 >= line.size() || line[i + 1] != '"')) break;
        if (line[i] == '"') ++i;
        fields.back() += line[i];
      }
      if (i + 1 < line.size() && line[i + 1] != ',') return {};
    }
  }
  return fields;
}

std::optional<uint32_t> number_of(std::string_view text, uint32_t limit) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value >= limit) return {};
  return value;
}

// What the line of column names says.
struct Columns {
  size_t count = 0, label = 0;
  std::optional<size_t> path;  // else the others are pixels
};

struct Table {
  fs::path file;
  Columns columns;
};

Result<Table> open_table(const fs::path& file) {
  CAIRN_TRY(Lines lines, Lines::open(file));
  std::string line;
  uint64_t place = 0;
  CAIRN_TRY(const bool any, lines.next(line, place));
  const auto names = any ? fields_of(line) : std::nullopt;
  if (!names) return Error{file.string() + ": does not begin with a line of column names"};
  const auto column = [&](const char* name) {
    return static_cast<size_t>(std::ranges::find(*names, name) - names->begin());
  };
  Table table{file, {names->size(), column("label"), {}}};
  if (table.columns.label == names->size())
    return Error{file.string() + ": its first line names no column `label`"};
  if (const size_t path = column("path"); path < names->size()) table.columns.path = path;
  return table;
}

// Calls visit(number, place, line's bytes, fields) for each row that has as many columns as the first line.
template <typename Visit>
Status for_rows(const Table& table, const OnSkipped& on_skipped, const Progress& progress,
                const Visit& visit) {
  CAIRN_TRY(Lines lines, Lines::open(table.file));
  std::string line;
  uint64_t place = 0;
  for (uint64_t number = 0;; ++number) {
    CAIRN_TRY(const bool more, lines.next(line, place));
    if (!more) return {};
    if (number == 0 || line.empty()) continue;
    if (number % 1024 == 0 && !report(progress, 0, 1)) return Error{"the import was stopped"};
    const auto fields = fields_of(line);
    if (fields && fields->size() == table.columns.count) {
      CAIRN_CHECK(visit(number, place, line.size(), *fields));
    } else if (on_skipped) {
      const std::string reason = fields ? "has " + std::to_string(fields->size()) +
                                              " columns where the first line has " +
                                              std::to_string(table.columns.count)
                                        : std::string("has quotes that are not closed as they should be");
      CAIRN_CHECK(on_skipped({"row " + std::to_string(number), reason}));
    }
  }
}

// The classes of a training table.
Result<std::vector<std::string>> find_classes(const Table& table, const Progress& progress) {
  std::set<std::string> names;
  uint32_t largest = 0;
  bool numbers = true;
  CAIRN_CHECK(
      for_rows(table, {}, progress, [&](uint64_t number, uint64_t, size_t, const auto& fields) -> Status {
        const std::string& label = fields[table.columns.label];
        const auto value = number_of(label, kMaxClasses);
        numbers = numbers && value;
        largest = std::max(largest, value.value_or(0));
        if (const Status status = check_name(label, kMaxNameSize); !status)
          return Error{table.file.string() + ": row " + std::to_string(number) +
                       ": label: " + status.error().message};
        names.insert(label);
        if (names.size() <= kMaxClasses) return {};
        return Error{table.file.string() + ": has more than 65536 different labels"};
      }));
  if (names.empty()) return Error{table.file.string() + ": has no rows"};
  if (numbers) return numbered_classes(largest + 1);
  return std::vector<std::string>(names.begin(), names.end());
}

std::optional<uint16_t> label_of(const std::string& label, const std::vector<std::string>& classes) {
  const auto value = number_of(label, static_cast<uint32_t>(classes.size()));
  if (value && classes[*value] == std::to_string(*value)) return static_cast<uint16_t>(*value);
  const auto found = std::ranges::find(classes, label);
  if (found == classes.end()) return {};
  return static_cast<uint16_t>(found - classes.begin());
}

Status list_table(const Table& table, Split split, const std::vector<std::string>& classes,
                  const PictureOptions& options) {
  ListingBuilder builder(listing_path(options, split));
  const auto skip = [&](const std::string& name, const std::string& reason) {
    return options.on_skipped ? options.on_skipped({name, reason}) : Status();
  };
  CAIRN_CHECK(for_rows(table, options.on_skipped, options.progress,
                       [&](uint64_t number, uint64_t place, size_t size, const auto& fields) -> Status {
                         const std::string row = "row " + std::to_string(number);
                         const auto label = label_of(fields[table.columns.label], classes);
                         if (!label) return skip(row, "has a label that no training row has");
                         Item item;
                         item.name = table.columns.path ? fields[*table.columns.path] : row;
                         if (const Status status = check_name(item.name, kMaxNameSize); !status)
                           return skip(row, "path: " + status.error().message);
                         item.label = *label;
                         item.place = place;
                         item.size = size;
                         return builder.add(item);
                       }));
  return builder.finish([&](const Item& item) { return skip(item.name, "is there a second time"); });
}

// Pixels of a row, in the order of their columns.
Result<Bytes> read_pixels(const Table& table, const Item& item) {
  CAIRN_TRY(const Bytes line, read_part(table.file, item.place, item.size));
  const auto fields = fields_of(std::string_view(reinterpret_cast<const char*>(line.data()), line.size()));
  if (!fields || fields->size() != table.columns.count) return Error{"has changed since it was listed"};
  Bytes pixels;
  for (size_t i = 0; i < fields->size(); ++i) {
    if (i == table.columns.label) continue;
    const auto value = number_of((*fields)[i], 256);
    if (!value) return Error{"column " + std::to_string(i + 1) + " is no pixel from 0 to 255"};
    pixels.push_back(static_cast<uint8_t>(*value));
  }
  return pixels;
}

Result<Manifest> describe(const Table& table, const PictureOptions& options,
                          std::vector<std::string> classes) {
  Manifest manifest;
  manifest.name = options.name;
  manifest.classes = std::move(classes);
  const size_t pixels = table.columns.count - 1;
  for (const uint32_t channels : {1u, 3u}) {
    const auto side = static_cast<uint32_t>(std::lround(std::sqrt(static_cast<double>(pixels / channels))));
    if (side == 0 || side > kMaxSide || size_t{channels} * side * side != pixels) continue;
    manifest.channels = channels;
    manifest.height = manifest.width = side;
    return manifest;
  }
  return Error{table.file.string() + ": has " + std::to_string(pixels) +
               " columns beside `label`, which are the pixels of no square, grey or in three colours"};
}

std::array<fs::path, 2> table_files(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path, {}};
  for (const char* name : {"val.csv", "test.csv"}) {
    if (fs::exists(path / name, error)) return {path / "train.csv", path / name};
  }
  return {path / "train.csv", {}};
}

}  // namespace

bool is_csv_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path / "train.csv", error);
}

Result<std::unique_ptr<Source>> open_csv(const fs::path& path, const PictureOptions& options) {
  std::vector<Table> tables;
  for (const fs::path& file : table_files(path)) {
    if (file.empty()) continue;
    CAIRN_TRY(Table table, open_table(file));
    tables.push_back(std::move(table));
  }
  const bool of_paths = tables[0].columns.path.has_value();
  if (tables.size() > 1 && (of_paths != tables[1].columns.path.has_value() ||
                            (!of_paths && tables[0].columns.count != tables[1].columns.count))) {
    return Error{tables[1].file.string() + ": has other columns than the training table"};
  }
  CAIRN_TRY(std::vector<std::string> classes, kept_classes(options));
  if (classes.empty()) {
    CAIRN_TRY(classes, find_classes(tables[0], options.progress));
    for (size_t i = 0; i < tables.size(); ++i)
      CAIRN_CHECK(list_table(tables[i], kSplits[i], classes, options));
    CAIRN_CHECK(keep_classes(options, classes));
  }
  if (of_paths) {
    const auto load = [tables](Split split, const Item& item) {
      return read_file(tables[static_cast<size_t>(split)].file.parent_path() / item.name, kMaxPictureFile);
    };
    return make_picture_source(options, std::move(classes), load);
  }
  CAIRN_TRY(const Manifest manifest, describe(tables[0], options, std::move(classes)));
  return make_listed_source(options, manifest, [tables](Split split, const Item& item) {
    return read_pixels(tables[static_cast<size_t>(split)], item);
  });
}

}  // namespace cairn::data
