#include <algorithm>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "data/pictures.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 8;  // of folders below a class

Error unreadable(const fs::path& path, const std::error_code& error) {
  return {path.string() + ": cannot be read: " + error.message()};
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

struct SplitFolder {
  Split split;
  fs::path path;
};

std::vector<SplitFolder> split_folders(const fs::path& folder) {
  if (!is_folder(folder / "train")) return {{Split::train, folder}};
  std::vector<SplitFolder> splits = {{Split::train, folder / "train"}};
  for (const char* name : {"val", "test"}) {
    if (!is_folder(folder / name)) continue;
    splits.push_back({Split::test, folder / name});
    break;
  }
  return splits;
}

// A class folder that leads back above itself would hold everything.
Status check_class(const fs::path& folder, const fs::path& root) {
  const std::string name = folder.filename().string();
  if (const Status status = check_name(name, kMaxNameSize); !status) {
    return Error{root.string() + ": the class folder " + escaped(name) + ": " + status.error().message +
                 "; rename it"};
  }
  std::error_code error;
  const fs::path here = fs::canonical(folder, error), above = fs::canonical(root, error);
  if (error) return unreadable(folder, error);
  const auto [end, ignored] = std::mismatch(here.begin(), here.end(), above.begin(), above.end());
  if (end == here.end()) return Error{folder.string() + ": is a link to a folder above it; remove it"};
  return {};
}

Result<std::vector<std::string>> class_names(const fs::path& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (is_hidden(it->path()) || !is_folder(it->path())) continue;
    CAIRN_CHECK(check_class(it->path(), root));
    names.push_back(it->path().filename().string());
    if (names.size() > kMaxClasses)
      return Error{root.string() + ": has more folders than the 65536 classes that there may be"};
  }
  if (error) return unreadable(root, error);
  std::ranges::sort(names);
  return names;
}

// Lists the pictures of one split.
class Walk {
 public:
  Walk(const SplitFolder& split, const PictureOptions& options)
      : root_(split.path), options_(options), builder_(listing_path(options, split.split)) {}

  Status add_class(const std::string& name, uint16_t label) { return add_folder(root_ / name, label, 0); }

  Status finish() {
    return builder_.finish([](const Item&) { return Status(); });  // a folder repeats no name
  }

 private:
  Status add_folder(const fs::path& folder, uint16_t label, int depth) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      CAIRN_CHECK(add(*it, label, depth));
      if (++seen_ % 1024 == 0 && !report(options_.progress, 0, 1)) return Error{"the import was stopped"};
    }
    return error ? Status(unreadable(folder, error)) : Status();
  }

  Status add(const fs::directory_entry& entry, uint16_t label, int depth) {
    if (is_hidden(entry.path())) return {};
    const std::string name = entry.path().lexically_relative(root_).string();
    std::error_code error;
    if (entry.is_directory(error)) {
      if (entry.is_symlink(error)) return skip(name, "is a link to a folder");
      if (depth == kMaxDepth) return skip(name, "is a folder too deep");
      return add_folder(entry.path(), label, depth + 1);
    }
    if (!is_picture_name(entry.path())) return skip(name, "is called neither .jpg, .jpeg nor .png");
    if (!entry.is_regular_file(error)) return skip(name, "is no file that can be read");
    if (const Status status = check_name(name, kMaxNameSize); !status)
      return skip(name, status.error().message);
    Item item;
    item.name = name;
    item.label = label;
    return builder_.add(item);
  }

  Status skip(const std::string& name, const std::string& reason) {
    return options_.on_skipped ? options_.on_skipped({name, reason}) : Status();
  }

  fs::path root_;
  const PictureOptions& options_;
  ListingBuilder builder_;
  uint64_t seen_ = 0;
};

Status list(const SplitFolder& split, const std::vector<std::string>& classes,
            const PictureOptions& options) {
  CAIRN_TRY(const std::vector<std::string> found, class_names(split.path));
  if (found.empty())
    return Error{split.path.string() +
                 ": has no class folders; sort its pictures into some, or take it away"};
  Walk walk(split, options);
  for (const std::string& name : found) {
    const auto place = std::ranges::lower_bound(classes, name);
    if (place == classes.end() || *place != name)
      return Error{split.path.string() + ": the class " + name +
                   " has no folder among the training pictures"};
    CAIRN_CHECK(walk.add_class(name, static_cast<uint16_t>(place - classes.begin())));
  }
  return walk.finish();
}

}  // namespace

Result<std::unique_ptr<Source>> open_picture_folder(const fs::path& folder, const PictureOptions& options) {
  const std::vector<SplitFolder> splits = split_folders(folder);
  CAIRN_TRY(std::vector<std::string> classes, class_names(splits[0].path));
  if (classes.empty()) return Error{splits[0].path.string() + ": has no folders, which would be classes"};
  for (const SplitFolder& split : splits) {
    CAIRN_TRY(const auto there, Listing::open(listing_path(options, split.split)));
    if (!there) CAIRN_CHECK(list(split, classes, options));
  }
  const auto load = [splits](Split split, const Item& item) -> Result<Bytes> {
    const fs::path path = splits[static_cast<size_t>(split)].path / item.name;
    Result<Bytes> bytes = read_file(path, kMaxPictureFile);
    const std::string place = path.string() + ": ";
    if (bytes || !bytes.error().message.starts_with(place)) return bytes;
    return Error{bytes.error().message.substr(place.size())};  // the report names the picture
  };
  return make_picture_source(options, std::move(classes), load);
}

}  // namespace cairn::data
