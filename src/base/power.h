// Where this machine's power comes from, as Linux tells (Documentation/ABI/testing/sysfs-class-power).
#pragma once

#include <filesystem>

namespace cairn {

// A battery of the machine itself is discharging and no supply is online. False where nothing is known.
bool on_battery(const std::filesystem::path& supplies = "/sys/class/power_supply");

}  // namespace cairn
