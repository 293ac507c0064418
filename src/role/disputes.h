// Claims about a stretch as they reach a host: what they quote is looked up in the accused's gradient file
// before anybody is accused by it, and the training state that the judges need comes before, in pieces.
//
// Safe from any thread. Functions may block on the disk and on the sequencer. The coordinator outlives it.
#pragma once

#include "role/coordinator.h"
#include "role/incoming.h"

namespace cairn::role {

inline constexpr size_t kMaxStatesComing = 64;  // at once

class Disputes {
 public:
  Disputes(Coordinator& coordinator, Environment& environment);

  // The states that are coming, by their digests.
  Incoming& states() { return states_; }
  // How many bytes of a state are here: all of them, where somebody else's claim needs it already.
  uint64_t received(const Digest& state) const;
  // Why that author cannot hand in a state for a claim about that entry. States that its file commits to are
  // taken from those who may claim about it, so that nobody fills the host's disk.
  std::optional<net::Response> refusal(const PublicKey& author, trust::EntryId entry,
                                       const Digest& state) const;

  // Puts the claim into the log with its state, or says why not.
  void claim(const ledger::Statement& statement, const net::Reply& reply);

 private:
  struct Accused {
    Digest gradient;
    work::GradientHead file;
  };
  std::variant<Accused, net::Response> accused(
      trust::EntryId entry, const std::function<Status(const project::Project&)>& may) const;
  bool has_state(const Digest& state) const;
  void claim_with_upload(const ledger::Statement& statement, const Digest& state, const net::Reply& reply);

  Coordinator& coordinator_;
  const work::Recipe recipe_;
  BlobStore blobs_;
  work::GradientStore gradients_;
  Incoming states_;
};

}  // namespace cairn::role
