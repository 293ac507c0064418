// Which groups of shards a user is served from, so that nobody downloads all of the data: everybody has an
// order of their own and works through the groups in it, epoch after epoch.
//
// A convenience of the host's and no part of the log: any user may compute any unit. One thread.
#pragma once

#include <map>
#include <vector>

#include "base/signature.h"
#include "trust/state.h"
#include "work/unit.h"

namespace cairn::project {

class HomeGroups {
 public:
  // The order outlives this.
  HomeGroups(const work::UnitOrder& order, const PublicKey& who);

  // The units of an epoch by group, the user's favourite group first.
  std::vector<work::UnitOrder::Range> units(uint32_t epoch) const;
  // Of the unit's group: 0 for the favourite.
  uint32_t rank(trust::UnitId unit);

 private:
  const work::UnitOrder& order_;
  std::vector<uint32_t> ranked_;            // groups, the favourite first
  std::vector<uint32_t> ranks_;             // by group
  std::map<uint32_t, work::Epoch> epochs_;  // that were asked for
};

}  // namespace cairn::project
