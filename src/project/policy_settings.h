// A policy as people write it: the tables [trust] and [averaging] of a recipe file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/policy.h"

namespace cairn::project {

// Of a new project. Absent tables and keys have their defaults; `file_name` begins every message. Other
// tables are not looked at.
Result<ledger::Policy> parse_policy(std::string_view toml, std::string_view file_name);

// Of a project that has a policy already: absent tables and keys stay as they are in `present`. Refused if
// neither table is there.
Result<ledger::Policy> parse_policy_change(std::string_view toml, std::string_view file_name,
                                           const ledger::Policy& present);

struct PolicySetting {
  std::string_view table, key;
  std::string value;  // TOML, and JSON too
  std::string_view comment;
};
std::vector<PolicySetting> policy_settings(const ledger::Policy& policy);

// The two tables, with comments. Reading them gives the policy back, if it was read from settings.
std::string policy_toml(const ledger::Policy& policy);

}  // namespace cairn::project
