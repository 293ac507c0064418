#include "base/power.h"

#include <fstream>
#include <string>

namespace cairn {
namespace {

std::string first_line(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

}  // namespace

bool on_battery(const std::filesystem::path& supplies) {
  bool discharging = false;
  std::error_code error;
  for (std::filesystem::directory_iterator it(supplies, error), end; !error && it != end;
       it.increment(error)) {
    const std::filesystem::path& supply = it->path();
    if (first_line(supply / "scope") == "Device") continue;  // of a mouse, say
    if (first_line(supply / "type") == "Battery") {
      discharging |= first_line(supply / "status") == "Discharging";
    } else if (first_line(supply / "online") == "1") {
      return false;
    }
  }
  return discharging;
}

}  // namespace cairn
