#include "project/unit_board.h"

#include <algorithm>

namespace cairn::project {
namespace {

using trust::Entry;
using trust::State;

void add_sealed(UnitBoard& board, const State& state, trust::EntryId id) {
  const Entry& entry = state.entry(id);
  UnitBoard::Sealed& sealed = board.sealed[{entry.unit, entry.round}];
  ++sealed.places;
  if (!gone(entry)) sealed.people.push_back(entry.user);
}

void add_done(UnitBoard& board, const State& state) {
  for (const trust::RoundRecord& record : state.rounds()) {
    for (const trust::EntryId id : record.entries) {
      if (state.averaged(id)) board.done.insert(state.entry(id).unit);
    }
  }
  while (board.done.contains(board.first_left)) ++board.first_left;
}

bool only_joined_or_handed_in(const ledger::Event& event) {
  const ledger::Body& body = event.statement.body;
  return std::holds_alternative<ledger::Joined>(body) || std::holds_alternative<ledger::NameChosen>(body) ||
         std::holds_alternative<ledger::EntrySealed>(body);
}

}  // namespace

bool gone(const Entry& entry) {
  return entry.standing.status == Entry::Status::revoked || entry.standing.status == Entry::Status::suspended;
}

UnitBoard unit_board(const State& state) {
  UnitBoard board;
  add_done(board, state);
  const std::vector<trust::EntryId> waiting = state.waiting();
  std::set<trust::EntryId> entries(waiting.begin(), waiting.end());
  if (const auto open = state.open_round()) {
    const auto& sealed = state.rounds()[*open].sealed;
    entries.insert(sealed.begin(), sealed.end());
  }
  for (const trust::EntryId id : entries) add_sealed(board, state, id);
  board.entries = state.entries().size();
  return board;
}

void follow(UnitBoard& board, const State& state, std::span<const ledger::Event> events) {
  if (!std::ranges::all_of(events, only_joined_or_handed_in)) {
    board = unit_board(state);
    return;
  }
  while (board.entries < state.entries().size())
    add_sealed(board, state, static_cast<trust::EntryId>(++board.entries));
}

}  // namespace cairn::project
