#include "data/open_source.h"

#include "base/text.h"
#include "data/cifar.h"
#include "data/csv.h"
#include "data/idx.h"
#include "data/pictures.h"
#include "data/tar.h"
#include "data/text.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

Result<std::unique_ptr<Source>> open_fashion_mnist(const std::string& name) {
  const fs::path folder = "/usr/share/datasets/fashion-mnist";
  std::error_code error;
  if (!fs::exists(folder, error)) {
    return Error{"fashion-mnist: " + folder.string() +
                 " is missing; install Debian's package dataset-fashion-mnist"};
  }
  return open_idx_folder(folder, name.empty() ? "fashion-mnist" : name,
                         {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
                          "Bag", "Ankle boot"});
}

// The name of the source itself, where none was chosen.
Result<std::string> data_name(const std::string& chosen, const fs::path& path) {
  if (!chosen.empty()) {
    if (const Status status = check_name(chosen, kMaxNameSize); !status)
      return status.error().within("--name");
    return chosen;
  }
  std::error_code error;
  const std::string name = fs::canonical(path, error).filename().string();
  return check_name(name, kMaxNameSize) ? name : std::string("data");
}

}  // namespace

Result<std::unique_ptr<Source>> open_source(const ImportRequest& request, const fs::path& work,
                                            const OnSkipped& on_skipped, const Progress& progress) {
  if (request.source == "fashion-mnist") return open_fashion_mnist(request.name);
  const fs::path path(request.source);
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Error{path.string() +
                 ": is neither a file, a folder nor the name of a known data set (fashion-mnist)"};
  }
  CAIRN_TRY(const std::string name, data_name(request.name, path));
  const TextOptions text{name, request.context, request.vocabulary, work, progress};
  if (path.extension() == ".txt" || is_text_folder(path)) return open_text(path, text);
  const PictureOptions pictures{name, request.shape, work, on_skipped, progress};
  if (path.extension() == ".tar" || is_tar_folder(path)) return open_tar(path, pictures);
  if (path.extension() == ".csv" || is_csv_folder(path)) return open_csv(path, pictures);
  if (!fs::is_directory(path, error))
    return Error{path.string() +
                 ": is no file that data sets come in; give one of .txt, .csv or .tar, or a folder"};
  if (is_idx_folder(path)) return open_idx_folder(path, name, {});
  if (is_cifar_folder(path)) return open_cifar(path, name);
  return open_picture_folder(path, pictures);
}

}  // namespace cairn::data
