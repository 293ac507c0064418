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
  CAIRN_CHECK(project_->check_statement(statement));
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
  return statement.ok() && add(*std::move(statement)).ok();
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

void Draft::forget_entries() {
  forget_if([](const std::string& key) { return !key.starts_with(kClaims) && !key.starts_with(kVotes); });
}

Project::Change Draft::take() {
  for (auto& [key, opening] : openings_) {
    if (!opening.stored) change_.staged.push_back({key, std::move(opening.statement)});
  }
  return std::move(change_);
}

}  // namespace cairn::project
