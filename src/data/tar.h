// Tar archives (POSIX.1-1988 ustar, with the long names and sizes of pax and GNU tar), read member by member.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "data/pictures.h"

namespace cairn::data {

struct TarMember {
  std::string name;
  uint64_t place = 0, size = 0;  // of its content in the archive, bytes
};

// Calls visit for each regular file. Reads no content but that of headers. An archive that is damaged or ends
// too early is an error that says where.
Status for_tar_members(const std::filesystem::path& path,
                       const std::function<Status(const TarMember&)>& visit);

// A folder of train-*.tar and perhaps val-*.tar (or test-*.tar), or one archive, of WebDataset samples: the
// members KEY.jpg (.jpeg, .png) and KEY.cls stand side by side, and the latter holds the number of the class.
// Of two samples of one key the first counts.
Result<std::unique_ptr<Source>> open_tar(const std::filesystem::path& path, const PictureOptions& options);
bool is_tar_folder(const std::filesystem::path& path);

}  // namespace cairn::data
