// How people and roles are called, in the log and in key rings.
#pragma once

#include <string_view>

#include "base/result.h"

namespace cairn::project {

inline constexpr size_t kMaxUserNameSize = 64;

// The names of the project's own keys in a key ring; no user can have them.
inline constexpr std::string_view kRootKey = "root";
inline constexpr std::string_view kCoordinatorKey = "coordinator";
inline constexpr std::string_view kJudgeKey = "judge";

// 1 to 64 letters, digits, '.', '_' and '-'; no leading dot, none of the roles.
Status check_user_name(std::string_view name);

}  // namespace cairn::project
