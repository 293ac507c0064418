// Statements that are to enter the log together, and the openings of seals that wait beside it until their
// time.
#pragma once

#include <map>

#include "project/project.h"

namespace cairn::project {

// Keys of the openings beside the log.
std::string entry_opening(const Digest& seal);
std::string claim_opening(trust::ClaimId claim);
std::string vote_opening(trust::ClaimId claim, const PublicKey& judge);

// Tries each statement against the rules after those before it. For use within Project::commit(), which the
// project's lock protects; the project outlives it.
class Draft {
 public:
  static Result<Draft> begin(Project& project);

  const trust::State& state() const { return state_; }  // after what was added

  // Adds a statement, or says why the rules refuse it and stays as it was.
  Status add(ledger::Statement statement);
  Status say(const SigningKey& key, ledger::Body body) { return add(project_->sign(key, std::move(body))); }

  // Puts an opening aside, as of now or until add_opening(); its signature has been checked.
  void put_aside(std::string key, const ledger::Statement& opening);
  // Adds the opening that waits under that key: false where there is none or the rules do not take it. It
  // waits no longer.
  bool add_opening(const std::string& key);
  // Forgets what waits to be opened about a claim that is settled.
  void forget(trust::ClaimId claim);
  // Forgets the openings of entries, since a round closes, but those that wait for a later one.
  void forget_entries(const std::set<std::string>& waiting);

  Status add_blob(BytesView bytes) { return change_.add_blob(project_->blobs(), bytes); }
  Project::Change take();

 private:
  explicit Draft(Project& project) : project_(&project), state_(project.state()) {}

  struct Opening {
    Bytes statement;
    bool stored = false;  // in the project already
  };

  Status add_signed(ledger::Statement statement);
  void forget_if(const std::function<bool(const std::string& key)>& matches);

  Project* project_;
  trust::State state_;
  Project::Change change_;
  std::map<std::string, Opening> openings_;
};

// Statements that came from elsewhere, each of which enters the log, or is put aside if it opens a claim or a
// vote. Refused as a whole where one of them is not what its author may say, or is of a kind that has a way
// of its own into the log: entries come with their gradient, and rounds are the coordinator's.
Result<Project::Change> statements_change(Project& project, const std::vector<ledger::Statement>& statements);

}  // namespace cairn::project
