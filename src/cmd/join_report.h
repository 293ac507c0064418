// How `cairn join` tells what it does: a line that is redrawn on a terminal, plain lines elsewhere, and with
// --json one object a line.
//
// One thread.
#pragma once

#include "cmd/command.h"
#include "cmd/console.h"
#include "role/contributor.h"
#include "role/pace.h"
#include "trust/leaderboard.h"

namespace cairn::cmd {

class JoinReport {
 public:
  // All of them outlive it.
  JoinReport(const Shared& shared, Console& console, const project::Project& project, const PublicKey& user)
      : shared_(shared), console_(console), project_(project), user_(user) {}

  void news(const role::ContributorNews& news);
  void resumed(trust::UnitId unit, uint32_t batches);
  void progress(uint64_t done, uint64_t total);  // in images of the unit
  void paused(int64_t milliseconds) { pace_.skip(milliseconds); }
  void say(const std::string& event, const std::string& sentence);  // of anything else
  void end(const std::string& name, uint64_t accepted);

 private:
  const trust::Place* place();
  std::string standing();
  void add_standing(Json& json);
  void write(Json json) const;

  void evaluation(const role::ContributorNews& news);
  void measure(uint64_t done, uint64_t total);
  void tell_speed(uint64_t unit_images);
  void warn_if_late(uint64_t images_left);
  std::string line(uint64_t done, uint64_t total);
  void progress_json(uint64_t done, uint64_t total);

  const Shared& shared_;
  Console& console_;
  const project::Project& project_;
  const PublicKey user_;

  role::ContributorNews unit_;  // the latest news: what is computed
  uint64_t accepted_ = 0;
  role::Pace pace_;
  bool measures_ = false;  // a batch of this unit has been computed, so that the next one shows the speed
  bool told_speed_ = false, warned_ = false;
  int64_t next_line_ = 0;  // when one may be shown: steady milliseconds
  std::vector<trust::Place> places_;
  uint64_t places_as_of_ = 0;  // events
};

}  // namespace cairn::cmd
