// An archive is refused, or all its members lie inside.
#include "data/tar.h"

#include <sys/mman.h>

#include "base/descriptor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  static const Descriptor file(::memfd_create("archive", 0));
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size))
    return 0;
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  std::ignore = data::for_tar_members(path, [&](const data::TarMember& member) -> Status {
    CAIRN_ASSERT(member.place <= size && member.size <= size - member.place);
    return {};
  });
  return 0;
}
