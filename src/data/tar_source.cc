#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "data/append_file.h"
#include "data/tar.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxLabelSize = 32;  // bytes of a .cls

using Archives = std::array<std::vector<fs::path>, 2>;  // by split

// In the order of their names.
Archives find_archives(const fs::path& path) {
  Archives archives;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    archives[0] = {path};
    return archives;
  }
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.ends_with(".tar")) continue;
    if (name.starts_with("train-")) archives[0].push_back(it->path());
    if (name.starts_with("val-") || name.starts_with("test-")) archives[1].push_back(it->path());
  }
  for (auto& split : archives) std::ranges::sort(split);
  return archives;
}

// A member's name, cut at the first dot of its last part.
struct SampleName {
  std::string key, extension;  // ".jpg"
  explicit SampleName(std::string_view name) {
    if (name.starts_with("./")) name.remove_prefix(2);
    const size_t part = name.find_last_of('/') + 1;  // 0 where there is none
    const size_t dot = std::min(name.size(), name.find('.', part));
    key = name.substr(0, dot);
    extension = name.substr(dot);
  }
};

// Puts the samples of one split on its list.
class Collecting {
 public:
  Collecting(const PictureOptions& options, Split split)
      : options_(options), builder_(listing_path(options, split)) {}

  Status add_archive(const fs::path& path, uint32_t number) {
    archive_ = path;
    CAIRN_CHECK(for_tar_members(path, [&](const TarMember& member) { return add(member, number); }));
    return end_sample();
  }
  Status finish() {
    return builder_.finish(
        [&](const Item& item) { return skip(item.name, "is a second sample of that name"); });
  }
  uint32_t classes() const { return classes_; }

 private:
  Status add(const TarMember& member, uint32_t number) {
    const SampleName name(member.name);
    if (name.key != item_.name || !begun_) {
      CAIRN_CHECK(end_sample());
      begun_ = true;
      item_.name = name.key;
      if (++seen_ % 1024 == 0 && !report(options_.progress, 0, 1)) return Error{"the import was stopped"};
    }
    if (is_picture_name("x" + name.extension)) {
      item_.file = number;
      item_.place = member.place;
      item_.size = member.size;
      has_picture_ = true;
    } else if (name.extension == ".cls") {
      CAIRN_CHECK(read_label(member));
    }
    return {};
  }

  Status read_label(const TarMember& member) {
    const uint64_t size = std::min(member.size, kMaxLabelSize + 1);
    CAIRN_TRY(const Bytes bytes, read_part(archive_, member.place, size));
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
      text.remove_suffix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), item_.label);
    has_label_ = error == std::errc() && end == text.data() + text.size() && !text.empty();
    wrong_label_ = !has_label_;
    return {};
  }

  // What stood side by side under one name is a sample, if it has all that makes one.
  Status end_sample() {
    if (!begun_) return {};
    Status status;
    const Status name = check_name(item_.name, kMaxNameSize);
    if (wrong_label_) {
      status = skip(item_.name, "has a .cls that is no number below 65536");
    } else if (!has_picture_ || !has_label_) {
      status = skip(item_.name, has_picture_ ? "has no .cls" : "has no picture");
    } else if (!name) {
      status = skip(item_.name, name.error().message);
    } else {
      classes_ = std::max(classes_, item_.label + uint32_t{1});
      status = builder_.add(item_);
    }
    item_ = {};
    begun_ = has_picture_ = has_label_ = wrong_label_ = false;
    return status;
  }

  Status skip(const std::string& name, const std::string& reason) {
    return options_.on_skipped ? options_.on_skipped({name, reason}) : Status();
  }

  const PictureOptions& options_;
  ListingBuilder builder_;
  fs::path archive_;
  Item item_;  // of the sample whose members are coming
  bool begun_ = false, has_picture_ = false, has_label_ = false, wrong_label_ = false;
  uint32_t classes_ = 0;
  uint64_t seen_ = 0;
};

Result<std::vector<std::string>> list_archives(const fs::path& path, const Archives& archives,
                                               const PictureOptions& options) {
  uint32_t classes = 0;
  for (const Split split : kSplits) {
    const auto& found = archives[static_cast<size_t>(split)];
    if (found.empty()) continue;
    Collecting collecting(options, split);
    for (size_t i = 0; i < found.size(); ++i)
      CAIRN_CHECK(collecting.add_archive(found[i], static_cast<uint32_t>(i)));
    CAIRN_CHECK(collecting.finish());
    if (split == Split::train) classes = collecting.classes();
    if (classes == 0)
      return Error{path.string() + ": has no training sample of a picture (.jpg, .png) and a class (.cls)"};
    if (collecting.classes() > classes) {
      return Error{path.string() + ": a test sample is of class " + std::to_string(collecting.classes() - 1) +
                   ", but there are " + std::to_string(classes) + " classes among the training samples"};
    }
  }
  return numbered_classes(classes);
}

}  // namespace

bool is_tar_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && !find_archives(path)[0].empty();
}

Result<std::unique_ptr<Source>> open_tar(const fs::path& path, const PictureOptions& options) {
  const Archives archives = find_archives(path);
  CAIRN_TRY(std::vector<std::string> classes, kept_classes(options));
  if (classes.empty()) {
    CAIRN_TRY(classes, list_archives(path, archives, options));
    CAIRN_CHECK(keep_classes(options, classes));
  }
  const auto load = [archives](Split split, const Item& item) -> Result<Bytes> {
    if (item.size > kMaxPictureFile) return Error{"is larger than a picture's 64 MiB"};
    return read_part(archives[static_cast<size_t>(split)][item.file], item.place, item.size);
  };
  return make_picture_source(options, std::move(classes), load);
}

}  // namespace cairn::data
