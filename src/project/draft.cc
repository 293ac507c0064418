#include "project/draft.h"

namespace cairn::project {
namespace {

constexpr std::string_view kClaims = "claim/";
constexpr std::string_view kVotes = "vote/";

}  // namespace

std::string entry_opening(const Digest& seal) {
  return seal.hex();
}

std::string claim_opening(trust::ClaimId claim) {
  return std::string(kClaims) + std::to_string(claim);
}

std::string vote_opening(trust::ClaimId claim, const PublicKey& judge) {
  return std::string(kVotes) + std::to_string(claim) + "/" + to_hex(judge.bytes);
}

Result<Draft> Draft::begin(Project& project) {
  Draft draft(project);
  CAIRN_TRY(std::vector<ledger::Item> staged, project.store().staged());
  for (ledger::Item& item : staged) draft.openings_[item.key] = {std::move(item.bytes), true};
  return draft;
}

Status Draft::add(ledger::Statement statement) {
  CAIRN_CHECK(check_signature(statement));
  return add_signed(std::move(statement));
}

Status Draft::add_signed(ledger::Statement statement) {
  CAIRN_CHECK(project_->check_place(statement));
  CAIRN_CHECK(state_.apply({state_.time(), statement}));
  change_.statements.push_back(std::move(statement));
  return {};
}

void Draft::put_aside(std::string key, const ledger::Statement& opening) {
  openings_[std::move(key)] = {ledger::encode(opening), false};
}

bool Draft::add_opening(const std::string& key) {
  const auto waiting = openings_.find(key);
  if (waiting == openings_.end()) return false;
  auto statement = ledger::decode_statement(waiting->second.statement);
  if (waiting->second.stored) change_.unstaged.push_back(key);
  openings_.erase(waiting);
  // Its signature was looked at before it was put aside.
  return statement.ok() && add_signed(*std::move(statement)).ok();
}

void Draft::forget_if(const std::function<bool(const std::string& key)>& matches) {
  std::erase_if(openings_, [&](const auto& opening) {
    if (!matches(opening.first)) return false;
    if (opening.second.stored) change_.unstaged.push_back(opening.first);
    return true;
  });
}

void Draft::forget(trust::ClaimId claim) {
  const std::string votes = std::string(kVotes) + std::to_string(claim) + "/";
  forget_if([&](const std::string& key) { return key == claim_opening(claim) || key.starts_with(votes); });
}

void Draft::forget_entries(const std::set<std::string>& waiting) {
  forget_if([&](const std::string& key) {
    return !key.starts_with(kClaims) && !key.starts_with(kVotes) && !waiting.contains(key);
  });
}

Project::Change Draft::take() {
  for (auto& [key, opening] : openings_) {
    if (!opening.stored) change_.staged.push_back({key, std::move(opening.statement)});
  }
  change_.signatures_checked = true;  // by whoever added or put aside
  return std::move(change_);
}

namespace {

// Where an opening of a claim or a vote waits; nothing for any other statement. It has to fit what its author
// sealed, since nobody looks at it again before it is due.
Result<std::optional<std::string>> place_to_wait(const Project& project, const trust::State& state,
                                                 const ledger::Statement& statement) {
  const Error unsealed{std::string(ledger::kind_name(statement.body)) +
                       ": does not open what its author sealed"};
  if (const auto* claim = std::get_if<ledger::ClaimOpened>(&statement.body)) {
    if (!state.has_claim(claim->claim)) return unsealed;
    const trust::Claim& filed = state.claim(claim->claim);
    if (filed.seal != ledger::claim_seal(project.id(), statement.author, filed.entry, claim->gradient))
      return unsealed;
    return std::optional(claim_opening(claim->claim));
  }
  if (const auto* vote = std::get_if<ledger::VoteOpened>(&statement.body)) {
    if (!state.has_claim(vote->claim)) return unsealed;
    const auto& votes = state.claim(vote->claim).votes;
    const auto sealed = votes.find(statement.author);
    const Digest seal = ledger::vote_seal(project.id(), statement.author, vote->claim, vote->gradient);
    if (sealed == votes.end() || sealed->second.seal != seal) return unsealed;
    return std::optional(vote_opening(vote->claim, statement.author));
  }
  return std::optional<std::string>();
}

// An entry's seal without its gradient would fill a unit with nothing, and an opening before its time would
// keep everybody else's entries out of the round.
Status check_may_be_said(const ledger::Statement& statement) {
  const auto has_its_own_way = []<class Kind>(const Kind&) {
    using namespace ledger;
    return std::is_same_v<Kind, Genesis> || std::is_same_v<Kind, Joined> ||
           std::is_same_v<Kind, NameChosen> || std::is_same_v<Kind, EntrySealed> ||
           std::is_same_v<Kind, EntryOpened> || std::is_same_v<Kind, RoundOpened> ||
           std::is_same_v<Kind, RoundClosed> || std::is_same_v<Kind, MismatchFound> ||
           std::is_same_v<Kind, VerdictReached> || std::is_same_v<Kind, LotSealed> ||
           std::is_same_v<Kind, PanelDrawn>;
  };
  if (!std::visit(has_its_own_way, statement.body)) return {};
  return Error{std::string(ledger::kind_name(statement.body)) +
               ": is not said by itself; entries are submitted, and rounds are the coordinator's"};
}

}  // namespace

Result<Project::Change> statements_change(Project& project,
                                          const std::vector<ledger::Statement>& statements) {
  CAIRN_TRY(Draft draft, Draft::begin(project));
  for (const ledger::Statement& statement : statements) {
    CAIRN_CHECK(check_may_be_said(statement));
    CAIRN_TRY(const std::optional<std::string> place, place_to_wait(project, draft.state(), statement));
    if (!place) {
      CAIRN_CHECK(draft.add(statement));
      continue;
    }
    CAIRN_CHECK(project.check_statement(statement));
    draft.put_aside(*place, statement);
  }
  return draft.take();
}

}  // namespace cairn::project
