#include "role/auditor.h"

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

}  // namespace

Outcome<std::optional<trust::EntryId>> Auditor::draw(uint64_t random) {
  CAIRN_CHECK(replica_.sync());
  const trust::State& state = replica_.project().state();
  return trust::pick_probe(state, random, state.user_of(key_.public_key()).value_or(0), found_true_);
}

Outcome<Audit> Auditor::audit(project::Trainer& trainer, trust::EntryId entry, const Progress& progress) {
  const auto first = project::probe(replica_.project(), trainer, entry, progress);
  if (!first) return remote_.explain(first.error());
  const Probe& probe = *first;
  if (probe.match()) {
    found_true_.insert(entry);
    return Audit{probe, {}, ""};
  }
  CAIRN_TRY(const Probe again, project::probe(replica_.project(), trainer, entry, progress));
  if (again.recomputed != probe.recomputed) {
    return Error{
        "entry " + std::to_string(entry) +
        ": recomputing gives a different digest each time; this machine is not sound, run `cairn selftest`"};
  }
  Audit audit{probe, {}, ""};
  const auto claimed = claim(entry, probe.recomputed);
  if (!claimed && claimed.error().status != 409) return claimed.error();
  if (claimed) {
    audit.claim = *claimed;
  } else {
    audit.refusal = claimed.error().sentence;
  }
  return audit;
}

Outcome<trust::ClaimId> Auditor::claim(trust::EntryId entry, const Digest& recomputed) {
  CAIRN_CHECK(replica_.sync());  // a claim is drawn a panel by the lot that its author has seen
  const project::Project& project = replica_.project();
  const Digest seal = ledger::claim_seal(project.id(), key_.public_key(), entry, recomputed);
  CAIRN_CHECK(say(remote_, replica_, {project.sign(key_, ledger::ClaimFiled{entry, seal})}));
  return open_claim(entry, recomputed);
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

Outcome<Judge::Vote> Judge::vote(project::Trainer& trainer, trust::ClaimId claim, const Progress& progress) {
  const trust::EntryId id = replica_.project().state().claim(claim).entry;
  const trust::Entry& entry = replica_.project().state().entry(id);
  const auto file = trainer.gradient(entry.round, entry.unit, progress);
  if (!file) return remote_.explain(file.error());
  const Digest recomputed = sha256(work::encode(*file));
  const Vote vote{claim, id, recomputed, recomputed != *entry.gradient};
  const project::Project& project = replica_.project();
  const Digest seal = ledger::vote_seal(project.id(), key_.public_key(), claim, recomputed);
  CAIRN_CHECK(say(remote_, replica_,
                  {project.sign(key_, ledger::VoteSealed{claim, seal}),
                   project.sign(key_, ledger::VoteOpened{claim, recomputed})}));
  return vote;
}

}  // namespace cairn::role
