#include "project/names.h"

#include <algorithm>
#include <string>

namespace cairn::project {

Status check_user_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (name.empty() || name.size() > kMaxUserNameSize || name[0] == '.' ||
      !std::ranges::all_of(name, letter)) {
    return Error{"user name: takes 1 to " + std::to_string(kMaxUserNameSize) +
                 " letters, digits, '.', '_' and '-', and starts with no dot"};
  }
  if (name == kRootKey || name == kCoordinatorKey || name == kJudgeKey) {
    return Error{"user name: " + std::string(name) + " is a role of the project; choose another"};
  }
  return {};
}

}  // namespace cairn::project
