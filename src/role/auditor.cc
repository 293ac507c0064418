#include "role/auditor.h"

#include "project/dispute.h"
#include "trust/probe.h"

namespace cairn::role {

using net::Outcome;
using project::Probe;

namespace {

// Says it, and holds the coordinator to its receipts.
Outcome<void> say(Remote& remote, Replica& replica, const std::vector<ledger::Statement>& statements) {
  CAIRN_TRY(const std::vector<ledger::Receipt> receipts, remote.say(statements));
  CAIRN_CHECK(replica.keep(receipts));
  return {};
}

// The claim, or the training state that goes before it.
bool refused_by_rules(const net::Failure& failure) {
  return failure.status == 409 || failure.status == 403;
}

// The gradient file of an entry, which only disputes about stretches take: what was fetched for one of them
// goes again.
class Borrowed {
 public:
  Borrowed(project::Project& project, trust::EntryId entry)
      : gradients_(project.gradients()),
        digest_(project.state().has_entry(entry) ? project.state().entry(entry).gradient : std::nullopt),
        had_(digest_ && gradients_.has(*digest_)) {}
  ~Borrowed() {
    if (digest_ && !had_) std::ignore = gradients_.remove(*digest_).ok();
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  work::GradientStore& gradients_;
  std::optional<Digest> digest_;
  bool had_;
};

}  // namespace

Outcome<std::optional<trust::EntryId>> Auditor::draw(uint64_t random) {
  CAIRN_CHECK(replica_.sync());
  const trust::State& state = replica_.project().state();
  return trust::pick_probe(state, random, state.user_of(key_.public_key()).value_or(0), found_true_);
}

Outcome<Audit> Auditor::audit(project::Trainer& trainer, trust::EntryId entry, const Progress& progress) {
  const Borrowed borrowed(replica_.project(), entry);
  const auto first = project::probe(replica_.project(), trainer, entry, progress);
  if (!first) return remote_.explain(first.error());
  const Probe& probe = *first;
  if (probe.match()) {
    found_true_.insert(entry);
    return Audit{probe, {}, ""};
  }
  CAIRN_TRY(const Digest again, project::probe_again(replica_.project(), trainer, probe, progress));
  if (again != probe.recomputed) {
    return Error{
        "entry " + std::to_string(entry) +
        ": recomputing gives a different digest each time; this machine is not sound, run `cairn selftest`"};
  }
  Audit audit{probe, {}, ""};
  const auto claimed = claim(probe);
  if (!claimed && !refused_by_rules(claimed.error())) return claimed.error();
  if (claimed) {
    audit.claim = *claimed;
  } else {
    audit.refusal = claimed.error().sentence;
  }
  return audit;
}

Outcome<void> Auditor::send_state(const Probe& found) {
  const auto ticket = [&] {
    UnitRequest request;
    request.kind = UnitRequest::Kind::state;
    request.project = replica_.project().id();
    request.time = replica_.project().environment().now();
    request.unit = found.entry;
    return sign_request(key_, request);
  };
  return remote_.send_state(found.stretch->before, found.state, ticket);
}

Outcome<trust::ClaimId> Auditor::claim(const Probe& found) {
  if (!found.state.empty()) CAIRN_CHECK(send_state(found));
  CAIRN_CHECK(replica_.sync());  // a claim is drawn a panel by the lot that its author has seen
  const project::Project& project = replica_.project();
  const ledger::Body body = project::claim_body(project, key_.public_key(), found);
  CAIRN_CHECK(say(remote_, replica_, {project.sign(key_, body)}));
  return open_claim(found.entry, found.recomputed);
}

// The claim has its number once it is in the log; then what was sealed can be signed for its opening.
Outcome<trust::ClaimId> Auditor::open_claim(trust::EntryId entry, const Digest& recomputed) {
  CAIRN_CHECK(replica_.sync());
  const trust::State& state = replica_.project().state();
  const auto user = state.user_of(key_.public_key());
  for (const trust::ClaimId id : state.claims_about(entry)) {
    if (!user || state.claim(id).claimant != *user) continue;
    if (state.claim(id).standing.status != trust::Claim::Status::open) continue;
    CAIRN_CHECK(say(remote_, replica_, {replica_.project().sign(key_, ledger::ClaimOpened{id, recomputed})}));
    return id;
  }
  return net::Failure(net::Failure::Kind::invalid,
                      "the coordinator: the log does not show the claim that it acknowledged");
}

Outcome<std::vector<trust::ClaimId>> Judge::open_claims() {
  CAIRN_CHECK(replica_.sync());
  const project::Project& project = replica_.project();
  return project::claims_for(project, key_.public_key(), project.environment().now());
}

// What the host has no more can be computed in longer time; where only the connection failed, that would be a
// waste.
std::optional<net::Failure> Judge::fetch_state(trust::ClaimId claim) {
  const project::Project& project = replica_.project();
  const auto& stretch = project.state().claim(claim).stretch;
  if (!stretch || stretch->index == 0) return std::nullopt;
  const auto fetched = project.blobs().get(stretch->before, project::state_size(project));
  return fetched ? std::nullopt : std::optional(remote_.explain(fetched.error()));
}

// It is large, and of no use once the vote is given.
void Judge::forget_state(trust::ClaimId claim) {
  project::Project& project = replica_.project();
  const auto& stretch = project.state().claim(claim).stretch;
  if (!stretch || !project::holds_state(project.blobs().path(stretch->before), project::state_size(project)))
    return;
  std::ignore = project.blobs().remove(stretch->before).ok();
}

Outcome<Judge::Vote> Judge::vote(project::Trainer& trainer, trust::ClaimId claim, const Progress& progress) {
  const std::optional<net::Failure> lacking = fetch_state(claim);
  if (lacking && lacking->may_pass()) return *lacking;
  const trust::EntryId id = replica_.project().state().claim(claim).entry;
  const Borrowed borrowed(replica_.project(), id);
  const auto recomputed = project::recompute_claim(replica_.project(), trainer, claim, progress);
  if (!recomputed) return lacking ? *lacking : remote_.explain(recomputed.error());
  const Vote vote{claim, id, *recomputed, *recomputed != replica_.project().state().stated(claim)};
  const project::Project& project = replica_.project();
  const Digest seal = ledger::vote_seal(project.id(), key_.public_key(), claim, *recomputed);
  CAIRN_CHECK(say(remote_, replica_,
                  {project.sign(key_, ledger::VoteSealed{claim, seal}),
                   project.sign(key_, ledger::VoteOpened{claim, *recomputed})}));
  forget_state(claim);
  return vote;
}

}  // namespace cairn::role
