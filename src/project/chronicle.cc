#include "project/chronicle.h"

#include <fmt/format.h>

#include <algorithm>

#include "project/dispute.h"

namespace cairn::project {
namespace {

using trust::Claim;
using trust::Entry;

class Teller {
 public:
  Teller(const Project& project, const ledger::Statement& statement)
      : project_(project), state_(project.state()), statement_(statement) {}

  std::string operator()(const ledger::NameChosen&) const { return author() + " joins"; }

  std::string operator()(const ledger::RoundClosed& closed) const {
    const trust::RoundRecord& round = state_.rounds()[closed.round];
    return fmt::format("round {} is closed: {} sealed, {} opened", closed.round,
                       count(round.sealed.size(), "entry", "entries"), round.entries.size());
  }

  std::string operator()(const ledger::RoundOpened& opened) const {
    return fmt::format("round {} opens with model {}", opened.round, opened.snapshot.hex().substr(0, 12));
  }

  std::string operator()(const ledger::ClaimFiled& filed) const {
    return fmt::format("{} claims that entry {} by {} is false", author(), filed.entry,
                       author_of(filed.entry));
  }

  std::string operator()(const ledger::StretchClaimed& filed) const {
    return fmt::format("{} claims that entry {} by {} is false in {}", author(), filed.entry,
                       author_of(filed.entry), steps_text(project_.recipe(), filed.stretch));
  }

  std::string operator()(const ledger::MismatchFound& found) const {
    return fmt::format("entry {} by {} differs from another of the same unit: the judges decide", found.entry,
                       author_of(found.entry));
  }

  std::string operator()(const ledger::PanelDrawn& drawn) const {
    std::string names;
    for (const trust::UserId member : state_.claim(drawn.claim).panel->members) {
      names += (names.empty() ? "" : ", ") + project_.user_name(member);
    }
    if (names.empty())
      return fmt::format("claim {} is for the named judges: too few users can judge it", drawn.claim);
    return fmt::format("the lot draws {} to judge claim {}", names, drawn.claim);
  }

  std::string operator()(const ledger::VerdictReached& verdict) const {
    const Claim& claim = state_.claim(verdict.claim);
    if (claim.verdict->voided)
      return fmt::format("claim {} was decided, which was voided since", verdict.claim);
    const bool cleared = claim.stretch && !verdict.upheld;  // of this alone
    const trust::UserId fallen = verdict.upheld ? state_.entry(claim.entry).user : claim.claimant;
    const std::string what = cleared ? steps_text(project_.recipe(), claim.stretch) + " of " : "";
    const std::string found = fmt::format("the judges find {}entry {} by {} {}", what, claim.entry,
                                          author_of(claim.entry), verdict.upheld ? "false" : "true");
    if (fallen == trust::kCoordinator) return found;
    return fmt::format("{}: {} falls to the lowest reputation, {} removed{}", found,
                       project_.user_name(fallen),
                       count(revoked_by(verdict.claim), "entry is", "entries are"), bounty(claim));
  }

  std::string operator()(const ledger::EntryUnavailable& unavailable) const {
    return fmt::format("entry {} by {} cannot be recomputed at present: the host lacks its model or data",
                       unavailable.entry, author_of(unavailable.entry));
  }

  std::string operator()(const ledger::EntrySuspended& suspended) const {
    return fmt::format("entry {} by {} is suspended: nobody could judge it for a day, and nobody is punished",
                       suspended.entry, author_of(suspended.entry));
  }

  std::string operator()(const ledger::Evaluated& stated) const {
    const bool text = project_.data().manifest().kind == data::Kind::text;
    return fmt::format(
        "{} tests the model of round {}: {:.4f} of {} right", author(), stated.round,
        static_cast<double>(stated.correct) / stated.images,
        text ? count(stated.images, "token", "tokens") : count(stated.images, "image", "images"));
  }

  std::string operator()(const ledger::VerdictVoided& voided) const {
    return fmt::format("the verdict on claim {} is void, as if it had never been", voided.claim);
  }

  std::string operator()(const ledger::Paused& paused) const {
    return paused.paused ? "the root pauses the project" : "the root resumes the project";
  }

  std::string operator()(const ledger::RolledBack& back) const {
    return fmt::format("the root rolls back to before round {}", back.to_round);
  }

  template <typename Other>
  std::string operator()(const Other&) const {
    return "";
  }

 private:
  static std::string count(uint64_t number, const char* one, const char* several) {
    return fmt::format("{} {}", number, number == 1 ? one : several);
  }

  std::string author() const {
    const auto user = state_.user_of(statement_.author);
    return user ? project_.user_name(*user) : "somebody";
  }
  std::string author_of(trust::EntryId entry) const { return project_.user_name(state_.entry(entry).user); }

  uint64_t revoked_by(trust::ClaimId claim) const {
    return static_cast<uint64_t>(std::ranges::count(
        state_.entries(), claim, [](const Entry& entry) { return entry.standing.revoked_by; }));
  }

  // To whom of those who claimed it.
  std::string bounty(const Claim& settled) const {
    for (const trust::ClaimId id : state_.claims_about(settled.entry)) {
      const Claim& claim = state_.claim(id);
      if (claim.standing.bounty == 0) continue;
      return fmt::format("; {} earns {}", project_.user_name(claim.claimant),
                         trust::to_decimal(claim.standing.bounty));
    }
    return "";
  }

  const Project& project_;
  const trust::State& state_;
  const ledger::Statement& statement_;
};

}  // namespace

std::string chronicle(const Project& project, uint64_t index) {
  const ledger::Statement& statement = project.events()[index].statement;
  return std::visit(Teller(project, statement), statement.body);
}

}  // namespace cairn::project
