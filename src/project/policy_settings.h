// The tables [trust] and [averaging] of a recipe file: the policy that goes into the genesis event.
#pragma once

#include <string_view>

#include "ledger/policy.h"

namespace cairn::project {

// Absent tables and keys keep their defaults; `file_name` begins every message. Other tables are not looked
// at.
Result<ledger::Policy> parse_policy(std::string_view toml, std::string_view file_name);

// The two tables with their defaults and what they mean, for the recipe file of a new project.
std::string_view default_policy_settings();

}  // namespace cairn::project
