#include "role/witness.h"

#include <algorithm>

#include "base/file.h"

namespace cairn::role {

using ledger::BrokenReceipt;
using ledger::LogHead;
using ledger::Receipt;
using ledger::SplitView;
using ledger::TileReader;

Witness::Witness(const project::Project& project) : project_(project), promises_(project.directory()) {
  const auto bytes = read_file(project.directory() / kCheckpointFile, ledger::kMaxNoteSize);
  if (bytes) checkpoint_.assign(bytes->begin(), bytes->end());
}

Result<LogHead> Witness::signed_head(const std::string& note) const {
  const auto key = ledger::log_key(project_.id(), project_.state().coordinator());
  CAIRN_TRY(const ledger::Checkpoint checkpoint, ledger::open_checkpoint(note, key));
  return checkpoint.head;
}

Status Witness::remember(const std::string& note) {
  if (note == checkpoint_) return {};
  CAIRN_CHECK(write_file(project_.directory() / kCheckpointFile, as_bytes(note)));
  checkpoint_ = note;
  return {};
}

LogHead Witness::seen() const {
  const auto kept = signed_head(checkpoint_);
  return kept && kept->size > project_.head().size ? *kept : project_.head();
}

// -- Receipts

Status Witness::keep(const std::vector<Receipt>& receipts) {
  for (const Receipt& receipt : receipts) {
    if (receipt.project != project_.id() || !signature_valid(receipt, project_.state().coordinator()))
      return Error{"the coordinator: the receipt is not signed by the project's coordinator"};
  }
  return receipts.empty() ? Status() : promises_.keep(receipts);
}

Status Witness::check(const std::vector<Receipt>& promised) {
  for (const Receipt& receipt : promised) {
    if (Status honoured = receipt_honoured(receipt, project_.store().tree()); !honoured)
      return not_honoured(honoured.error(), receipt);
  }
  return promised.empty() ? Status() : promises_.forget_below(project_.head().size);
}

Error Witness::not_honoured(const Error& how, const Receipt& receipt) const {
  const LogHead head = project_.head();
  if (receipt.index >= head.size) return how;
  const auto proof = project_.store().inclusion_proof(receipt.index, head.size);
  if (!proof) return how;
  const Digest& found = project_.store().tree().subtree({0, receipt.index});
  return Error{how.message + " (" + event_name(receipt.index) + ")" +
               write(BrokenReceipt{receipt, checkpoint_, found, *proof})};
}

// -- Histories

std::string Witness::event_name(uint64_t index) const {
  const auto& events = project_.events();
  const std::string name = "event " + std::to_string(index);
  if (index >= events.size()) return name;
  return name + ", " + std::string(ledger::kind_name(events[index].statement.body));
}

// The greatest number of first events that both logs have, by halving: beginnings are either the same or not.
uint64_t Witness::common_events(TileReader& theirs) const {
  uint64_t same = 0, other = std::min(project_.head().size, theirs.head().size) + 1;
  while (other - same > 1) {
    const uint64_t middle = same + (other - same) / 2;
    const auto ours = project_.store().head_at(middle);
    (ours && theirs.consistency_proof(*ours) ? same : other) = middle;
  }
  return same;
}

Error Witness::other_history(const std::string& how, TileReader& theirs, const std::string& note) const {
  const uint64_t first = common_events(theirs);
  const auto kept = signed_head(checkpoint_);
  const bool ours_is_larger = kept && kept->size > theirs.head().size;
  return Error{"the coordinator: its log " + how + ": the first event that differs is " + event_name(first) +
               write(ours_is_larger ? with_our_log(note) : with_their_log(theirs, note))};
}

Error Witness::dropped(uint64_t size) const {
  return Error{"the coordinator: its log has " + std::to_string(size) + " events where it had " +
               std::to_string(seen().size) + " before; acknowledged events were dropped, the first is " +
               event_name(size)};
}

Status Witness::compare(const std::string& note) const {
  CAIRN_TRY(const LogHead head, signed_head(note));
  if (head.size > project_.head().size) {
    return Error{"the coordinator: it signed a log of " + std::to_string(head.size) +
                 " events for others, and shows one of " + std::to_string(project_.head().size) + " here"};
  }
  CAIRN_TRY(const LogHead ours, project_.store().head_at(head.size));
  if (ours == head) return {};
  return Error{"the coordinator: of the first " + std::to_string(head.size) +
               " events it signed another history for others, with root " + head.root.hex() +
               ", than here, with " + ours.root.hex() + write(with_our_log(note))};
}

// -- Evidence

// Their log shows that it begins otherwise than the checkpoint that we kept.
Result<SplitView> Witness::with_their_log(TileReader& theirs, const std::string& note) const {
  CAIRN_TRY(const LogHead kept, signed_head(checkpoint_));
  CAIRN_TRY(const TileReader::Prefix prefix, theirs.prefix(kept.size));
  return SplitView{checkpoint_, note, prefix.head.root, prefix.proof};
}

// Ours, which the checkpoint that we kept is of, begins otherwise than theirs.
Result<SplitView> Witness::with_our_log(const std::string& note) const {
  CAIRN_TRY(const LogHead kept, signed_head(checkpoint_));
  CAIRN_TRY(const LogHead theirs, signed_head(note));
  CAIRN_TRY(const LogHead beginning, project_.store().head_at(theirs.size));
  CAIRN_TRY(const auto proof, project_.store().consistency_proof(theirs.size, kept.size));
  return SplitView{note, checkpoint_, beginning.root, proof};
}

std::string Witness::write(const Result<SplitView>& lie) const {
  return lie ? write(std::variant<SplitView, BrokenReceipt>(*lie)) : "";
}

// The end of a sentence that names the file; nothing where no evidence can be had, or written.
std::string Witness::write(std::variant<SplitView, BrokenReceipt> lie) const {
  ledger::Evidence evidence{project_.events()[0].statement, {}, std::move(lie)};
  for (const ledger::Event& event : project_.events()) {
    if (std::holds_alternative<ledger::CoordinatorMoved>(event.statement.body))
      evidence.moved = event.statement;
  }
  if (!check_evidence(evidence)) return "";
  const Bytes bytes = encode(evidence);
  const auto file = project_.directory() / ("evidence-" + sha256(bytes).hex().substr(0, 16));
  if (!write_file(file, bytes)) return "";
  return "; " + file.string() + " convicts it before anybody who runs `cairn evidence` on it";
}

}  // namespace cairn::role
