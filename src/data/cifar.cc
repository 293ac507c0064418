#include "data/cifar.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "data/append_file.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kSide = 32, kPixels = 3 * kSide * kSide;

struct Format {
  uint32_t labels, classes;  // the last label of a record counts
  const char* names;         // the file of class names
};
constexpr Format kTen{1, 10, "batches.meta.txt"}, kHundred{2, 100, "fine_label_names.txt"};

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// Files that are read as one, a record at a time.
struct Records {
  const Format& format;
  std::vector<fs::path> files;
  std::vector<uint64_t> ends = {};  // the number of records in this file and those before

  uint64_t record() const { return format.labels + kPixels; }
  uint64_t count() const { return ends.empty() ? 0 : ends.back(); }

  Status open() {
    for (const fs::path& file : files) {
      std::error_code error;
      const uint64_t size = fs::file_size(file, error);
      if (error) return Error{file.string() + ": cannot be read: " + error.message()};
      if (size == 0 || size % record() != 0) {
        return Error{file.string() + ": has " + std::to_string(size) +
                     " bytes, which is no multiple of the " + std::to_string(record()) + " of an image"};
      }
      ends.push_back(count() + size / record());
    }
    return {};
  }

  Result<Bytes> read(uint64_t first, uint64_t count) const {
    Bytes bytes;
    for (size_t i = 0; i < files.size() && count > 0; ++i) {
      if (first >= ends[i]) continue;
      const uint64_t here = std::min(count, ends[i] - first), begin = i == 0 ? 0 : ends[i - 1];
      CAIRN_TRY(const Bytes part, read_part(files[i], (first - begin) * record(), here * record()));
      bytes.insert(bytes.end(), part.begin(), part.end());
      first += here;
      count -= here;
    }
    return bytes;
  }
};

Result<std::vector<std::string>> class_names(const fs::path& file, uint32_t count) {
  std::vector<std::string> names;
  if (is_there(file)) {
    CAIRN_TRY(const Bytes bytes, read_file(file, 1 << 16));
    std::string line;
    for (const uint8_t byte : bytes) {
      if (byte == '\n' && !line.empty()) names.push_back(std::exchange(line, ""));
      if (byte != '\n' && byte != '\r') line += static_cast<char>(byte);
    }
    if (!line.empty()) names.push_back(line);
    const bool good =
        std::ranges::all_of(names, [](const std::string& one) { return check_name(one, kMaxNameSize).ok(); });
    if (names.size() != count || !good)
      return Error{file.string() + ": has to hold the names of " + std::to_string(count) +
                   " classes, one a line"};
    return names;
  }
  for (uint32_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

class CifarSource : public Source {
 public:
  CifarSource(Manifest manifest, std::array<Records, 2> records)
      : manifest_(std::move(manifest)), records_(std::move(records)) {}

  const Manifest& description() const override { return manifest_; }
  uint64_t count(Split split) const override { return records_[static_cast<size_t>(split)].count(); }

  Result<Samples> read(Split split, uint64_t first, uint32_t count, ThreadPool&) override {
    const Records& records = records_[static_cast<size_t>(split)];
    CAIRN_TRY(const Bytes bytes, records.read(first, count));
    Samples samples;
    for (uint64_t i = 0; i < count; ++i) {
      const std::string name = numbered_name(split, first + i, records.count());
      const auto record = bytes.begin() + static_cast<ptrdiff_t>(i * records.record());
      const uint8_t label = record[records.format.labels - 1];
      if (label >= records.format.classes) {
        samples.skipped.push_back({name, "is of class " + std::to_string(label) + ", where there are " +
                                             std::to_string(records.format.classes)});
        continue;
      }
      samples.bytes.insert(samples.bytes.end(), record + records.format.labels,
                           record + static_cast<ptrdiff_t>(records.record()));
      samples.entries.push_back({label, name});
    }
    samples.count = static_cast<uint32_t>(samples.entries.size());
    return samples;
  }

 private:
  Manifest manifest_;
  std::array<Records, 2> records_;
};

std::vector<fs::path> test_file(const fs::path& file) {
  return is_there(file) ? std::vector<fs::path>{file} : std::vector<fs::path>{};
}

}  // namespace

bool is_cifar_folder(const fs::path& folder) {
  return is_there(folder / "data_batch_1.bin") || is_there(folder / "train.bin");
}

Result<std::unique_ptr<Source>> open_cifar(const fs::path& folder, const std::string& name) {
  const bool ten = is_there(folder / "data_batch_1.bin");
  const Format& format = ten ? kTen : kHundred;
  std::array<Records, 2> records = {Records{format, {}}, Records{format, {}}};
  for (int i = 1; ten && i <= 5; ++i)
    records[0].files.push_back(folder / ("data_batch_" + std::to_string(i) + ".bin"));
  if (!ten) records[0].files.push_back(folder / "train.bin");
  records[1].files = test_file(folder / (ten ? "test_batch.bin" : "test.bin"));
  for (Records& split : records) CAIRN_CHECK(split.open());
  Manifest manifest;
  manifest.name = name;
  CAIRN_TRY(manifest.classes, class_names(folder / format.names, format.classes));
  manifest.channels = 3;
  manifest.height = manifest.width = kSide;
  return {std::make_unique<CifarSource>(std::move(manifest), std::move(records))};
}

}  // namespace cairn::data
