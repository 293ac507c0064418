#include "base/power.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace cairn {
namespace {

class Power : public testing::Test {
 protected:
  Power() {
    std::string pattern = (std::filesystem::temp_directory_path() / "power-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Power() override { std::filesystem::remove_all(folder_); }

  void set(const std::string& supply, const std::string& attribute, const std::string& value) {
    std::filesystem::create_directories(folder_ / supply);
    std::ofstream(folder_ / supply / attribute) << value << "\n";
  }

  std::filesystem::path folder_;
};

TEST_F(Power, MachinesWithoutABatteryHaveMains) {
  EXPECT_FALSE(on_battery(folder_));
  EXPECT_FALSE(on_battery(folder_ / "nowhere"));
  set("AC", "type", "Mains");
  set("AC", "online", "1");
  EXPECT_FALSE(on_battery(folder_));
}

TEST_F(Power, ALaptopIsOnBatteryUntilItIsPluggedIn) {
  set("AC", "type", "Mains");
  set("AC", "online", "0");
  set("BAT0", "type", "Battery");
  set("BAT0", "status", "Discharging");
  EXPECT_TRUE(on_battery(folder_));
  set("AC", "online", "1");
  EXPECT_FALSE(on_battery(folder_));
}

TEST_F(Power, TheBatteryOfAMouseDoesNotCount) {
  set("mouse", "type", "Battery");
  set("mouse", "scope", "Device");
  set("mouse", "status", "Discharging");
  EXPECT_FALSE(on_battery(folder_));
}

}  // namespace
}  // namespace cairn
