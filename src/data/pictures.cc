#include "data/pictures.h"

#include <algorithm>
#include <optional>

#include "base/file.h"

namespace cairn::data {
namespace {

constexpr const char* kClassesFile = "classes";

class ListedSource : public Source {
 public:
  ListedSource(Manifest description, MakeSample make)
      : manifest_(std::move(description)), make_(std::move(make)) {}

  Status open(const PictureOptions& options) {
    for (const Split split : kSplits) {
      CAIRN_TRY(listing(split), Listing::open(listing_path(options, split)));
    }
    return {};
  }

  const Manifest& description() const override { return manifest_; }
  uint64_t count(Split split) const override {
    const auto& found = listings_[static_cast<size_t>(split)];
    return found ? found->count() : 0;
  }

  Result<Samples> read(Split split, uint64_t first, uint32_t count, ThreadPool& pool) override {
    CAIRN_TRY(const std::vector<Item> items, listing(split)->read(first, count));
    const uint64_t size = manifest_.sample_size();
    Samples samples;
    samples.bytes.resize(count * size);
    std::vector<std::string> reasons(count);  // empty: was read
    pool.run(count, [&](int64_t i, int) {
      const Result<Bytes> pixels = make_(split, items[static_cast<size_t>(i)]);
      if (pixels) {
        std::ranges::copy(*pixels, samples.bytes.begin() + i * static_cast<int64_t>(size));
      } else {
        reasons[static_cast<size_t>(i)] = pixels.error().message;
      }
    });
    keep_readable(items, reasons, samples);
    return samples;
  }

 private:
  std::optional<Listing>& listing(Split split) { return listings_[static_cast<size_t>(split)]; }

  // Closes the gaps that unreadable pictures left.
  void keep_readable(const std::vector<Item>& items, const std::vector<std::string>& reasons,
                     Samples& samples) const {
    const auto size = static_cast<ptrdiff_t>(manifest_.sample_size());
    auto end = samples.bytes.begin();
    for (size_t i = 0; i < items.size(); ++i) {
      if (!reasons[i].empty()) {
        samples.skipped.push_back({items[i].name, reasons[i]});
        continue;
      }
      const auto from = samples.bytes.begin() + static_cast<ptrdiff_t>(i) * size;
      if (from != end) std::copy(from, from + size, end);
      end += size;
      samples.entries.push_back({items[i].label, items[i].name});
    }
    samples.bytes.erase(end, samples.bytes.end());
    samples.count = static_cast<uint32_t>(samples.entries.size());
  }

  Manifest manifest_;
  MakeSample make_;
  std::array<std::optional<Listing>, 2> listings_;
};

}  // namespace

std::filesystem::path listing_path(const PictureOptions& options, Split split) {
  return options.work / (split == Split::train ? "train.list" : "test.list");
}

Result<std::unique_ptr<Source>> make_listed_source(const PictureOptions& options, const Manifest& description,
                                                   MakeSample make) {
  auto source = std::make_unique<ListedSource>(description, std::move(make));
  CAIRN_CHECK(source->open(options));
  return {std::move(source)};
}

Result<std::unique_ptr<Source>> make_picture_source(const PictureOptions& options,
                                                    std::vector<std::string> classes, LoadPicture load) {
  const PictureShape shape = options.shape;
  Manifest description;
  description.name = options.name;
  description.classes = std::move(classes);
  description.channels = shape.channels;
  description.height = description.width = shape.side;
  const auto make = [shape, load = std::move(load)](Split split, const Item& item) -> Result<Bytes> {
    CAIRN_TRY(const Bytes file, load(split, item));
    CAIRN_TRY(const Picture picture, decode_picture(file));
    return fit_picture(picture, shape);
  };
  return make_listed_source(options, description, make);
}

Status keep_classes(const PictureOptions& options, const std::vector<std::string>& classes) {
  ByteWriter writer;
  writer.u32(static_cast<uint32_t>(classes.size()));
  for (const std::string& name : classes) writer.string(name);
  return write_file(options.work / kClassesFile, writer.bytes());
}

Result<std::vector<std::string>> kept_classes(const PictureOptions& options) {
  std::vector<std::string> classes;
  std::error_code error;
  if (!std::filesystem::exists(options.work / kClassesFile, error)) return classes;
  CAIRN_TRY(const Bytes bytes, read_file(options.work / kClassesFile, kMaxManifestSize + (8 << 20)));
  ByteReader reader(bytes);
  classes.resize(reader.count("classes", 4, kMaxClasses));
  for (std::string& name : classes) name = reader.string("classes", kMaxNameSize);
  CAIRN_CHECK(reader.finish());
  return classes;
}

std::vector<std::string> numbered_classes(uint32_t count) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

bool is_picture_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

}  // namespace cairn::data
