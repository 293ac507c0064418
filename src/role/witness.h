// What a follower of a log remembers of its coordinator's signed words: the newest checkpoint and the
// receipts that the log has yet to honour, in files beside its copy. Where such words contradict each other
// it writes the evidence there, too (ledger/evidence.h), and the error names the file.
//
// One thread at a time; several processes may follow with one copy.
#pragma once

#include "ledger/evidence.h"
#include "ledger/tiles.h"
#include "project/project.h"
#include "role/promises.h"

namespace cairn::role {

inline constexpr std::string_view kCheckpointFile = "checkpoint";

class Witness {
 public:
  // The project outlives it and stays where it is.
  explicit Witness(const project::Project& project);

  const std::string& checkpoint() const { return checkpoint_; }  // the newest note, or nothing
  Status remember(const std::string& note);

  // The head that the coordinator vouched for last: of the copy, or of the checkpoint if the copy is not as
  // far.
  ledger::LogHead seen() const;

  // Receipts have to be signed; who keeps them asks promised() before the next checkpoint, and has them
  // checked once the copy is as far as that.
  Status keep(const std::vector<ledger::Receipt>& receipts);
  Result<std::vector<ledger::Receipt>> promised() const { return promises_.all(); }
  Status check(const std::vector<ledger::Receipt>& promised);

  // Whether a checkpoint that somebody else was shown, and not later than we asked, is of the same log.
  Status compare(const std::string& note) const;

  // What to say of a log that is not the one seen before: which event is the first other one, and where the
  // evidence lies. `how` ends a sentence about the log.
  Error other_history(const std::string& how, ledger::TileReader& theirs, const std::string& note) const;
  // The same of a log that ends early.
  Error dropped(uint64_t size) const;

  Result<ledger::LogHead> signed_head(const std::string& note) const;

 private:
  uint64_t common_events(ledger::TileReader& theirs) const;
  std::string event_name(uint64_t index) const;
  Result<ledger::SplitView> with_their_log(ledger::TileReader& theirs, const std::string& note) const;
  Result<ledger::SplitView> with_our_log(const std::string& note) const;
  Error not_honoured(const Error& how, const ledger::Receipt& receipt) const;
  std::string write(const Result<ledger::SplitView>& lie) const;
  std::string write(std::variant<ledger::SplitView, ledger::BrokenReceipt> lie) const;

  const project::Project& project_;
  Promises promises_;
  std::string checkpoint_;
};

}  // namespace cairn::role
