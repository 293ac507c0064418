#include "role/unfinished.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/file.h"

namespace cairn::role {

Result<std::unique_ptr<Unfinished>> Unfinished::open(const std::filesystem::path& copy,
                                                     const PublicKey& key) {
  std::unique_ptr<Unfinished> own(new Unfinished(copy / "unfinished" / key.hex()));
  CAIRN_CHECK(make_directory(own->folder_));
  own->lock_.set(::open(own->folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (own->lock_.get() >= 0 && ::flock(own->lock_.get(), LOCK_EX | LOCK_NB) == 0) return own;
  return Error{own->folder_.string() +
               ": another process computes here under this name; end it, or give another --name"};
}

}  // namespace cairn::role
