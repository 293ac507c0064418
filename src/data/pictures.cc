#include "data/pictures.h"

#include <algorithm>
#include <optional>

namespace cairn::data {
namespace {

class PictureSource : public Source {
 public:
  PictureSource(const PictureOptions& options, std::vector<std::string> classes, LoadPicture load)
      : shape_(options.shape), load_(std::move(load)) {
    manifest_.name = options.name;
    manifest_.classes = std::move(classes);
    manifest_.channels = shape_.channels;
    manifest_.height = manifest_.width = shape_.side;
  }

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
    const uint64_t size = shape_.size();
    Samples samples;
    samples.bytes.resize(count * size);
    std::vector<std::string> reasons(count);  // empty: was read
    pool.run(count, [&](int64_t i, int) {
      const Result<Bytes> pixels = make(split, items[static_cast<size_t>(i)]);
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

  Result<Bytes> make(Split split, const Item& item) const {
    CAIRN_TRY(const Bytes file, load_(split, item));
    CAIRN_TRY(const Picture picture, decode_picture(file));
    return fit_picture(picture, shape_);
  }

  // Closes the gaps that unreadable pictures left.
  void keep_readable(const std::vector<Item>& items, const std::vector<std::string>& reasons,
                     Samples& samples) const {
    const auto size = static_cast<ptrdiff_t>(shape_.size());
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
  PictureShape shape_;
  LoadPicture load_;
  std::array<std::optional<Listing>, 2> listings_;
};

}  // namespace

std::filesystem::path listing_path(const PictureOptions& options, Split split) {
  return options.work / (split == Split::train ? "train.list" : "test.list");
}

Result<std::unique_ptr<Source>> make_picture_source(const PictureOptions& options,
                                                    std::vector<std::string> classes, LoadPicture load) {
  auto source = std::make_unique<PictureSource>(options, std::move(classes), std::move(load));
  CAIRN_CHECK(source->open(options));
  return {std::move(source)};
}

bool is_picture_name(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

}  // namespace cairn::data
