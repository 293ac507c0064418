// A hosted project as volunteers reach it: the resources of docs/formats/protocol.md over one connection.
//
// Believes nothing that it can check; what it returns is decoded strictly, and Replica checks it against the
// log. Safe to call from several threads, which wait for each other.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/blob_store.h"
#include "ledger/receipt.h"
#include "ledger/tiles.h"
#include "net/client.h"
#include "project/submission.h"
#include "role/unit_request.h"

namespace cairn::role {

struct RemoteLease {
  uint32_t unit = 0;
  uint32_t round = 0;
  int64_t expires = 0;  // Unix milliseconds by the coordinator's clock
};

// Whether the host has no such file, or serves it no more: who needs it can only leave the task alone.
bool lacks_files(const net::Failure& failure);

class Remote {
 public:
  explicit Remote(std::unique_ptr<net::Client> client);
  static Result<std::unique_ptr<Remote>> open(const std::string& url, net::ClientOptions options = {});
  ~Remote();

  std::string url() const { return client_->server().text(); }

  // What the server says it hosts: to be checked against the log's first event.
  net::Outcome<Digest> project();
  net::Outcome<PublicKey> coordinator();
  net::Outcome<std::string> leaderboard();  // JSON
  net::Outcome<std::string> checkpoint();   // a signed note
  net::Outcome<Bytes> tile(const ledger::TileId& tile);

  // Shown with every request for a unit: what lets a newcomer into a project of invited people.
  void set_invite(std::string code) { invite_ = std::move(code); }
  // The same of a newcomer's proof of work (ledger/join_work.h).
  void set_join_work(uint64_t nonce) { join_work_ = nonce; }
  net::Outcome<RemoteLease> take_unit(const UnitRequest& request);
  net::Outcome<void> return_unit(const UnitRequest& request);
  // Receipts of everything that the submission put in the log, in its order.
  // Large gradients go before, in pieces, of which those that are there already are not sent again. Each goes
  // with a request of kind upload, signed anew because on a slow line the first would be too old for the
  // last.
  using Ticket = std::function<UnitRequest()>;
  net::Outcome<std::vector<ledger::Receipt>> submit(const project::Submission& submission,
                                                    const Ticket& ticket);
  // The same as bytes that are not looked at.
  net::Outcome<std::vector<ledger::Receipt>> submit(BytesView submission);
  // Gradients of more bytes than that are large, and go in pieces of that size.
  void set_pieces(uint64_t size) { piece_size_ = size; }
  bool goes_in_pieces(const project::Submission& submission) const {
    return submission.gradient.size() > piece_size_;
  }

  // A training state before the claim that needs it, unless the host has it; in pieces with such tickets too.
  net::Outcome<void> send_state(const Digest& digest, BytesView state, const Ticket& ticket);

  // Of each statement but those that are put aside.
  net::Outcome<std::vector<ledger::Receipt>> say(const std::vector<ledger::Statement>& statements);

  // A folder that `cairn data import` made of the same data: shards that are there are taken from it.
  void use_own_data(const std::filesystem::path& folder);
  // Told, once a fetch has begun, how many bytes of the file are still to come; an error ends it.
  void set_make_room(std::function<Status(uint64_t bytes)> make_room) { make_room_ = std::move(make_room); }
  // Files by digest. Who gets an error from reading a copy asks here whether the network was to blame.
  const BlobOrigin& blobs() const;
  const BlobOrigin& shards() const;
  const BlobOrigin& gradients() const;  // packed
  const BlobOrigin& snapshots() const;  // packed
  // What an error of such a read was: the failure of the last fetch, if it failed, or the error itself. Each
  // failure explains one error.
  net::Failure explain(const Error& error) const;

  // From any thread or a signal handler: ends what is under way, and all that comes later.
  void cancel() { client_->cancel(); }

 private:
  class Files;

  net::Outcome<std::string> text(const std::string& target);
  net::Outcome<uint64_t> received(const std::string& upload);
  net::Outcome<uint64_t> send_piece(const std::string& upload, BytesView bytes, uint64_t first,
                                    const Ticket& ticket);
  net::Outcome<void> upload(const std::string& target, BytesView bytes, const Ticket& ticket);
  net::Outcome<std::vector<ledger::Receipt>> post(const std::string& target, BytesView body);

  std::unique_ptr<net::Client> client_;
  std::string invite_;
  std::function<Status(uint64_t bytes)> make_room_;
  std::optional<uint64_t> join_work_;
  uint64_t piece_size_ = kPieceSize;
  mutable std::mutex mutex_;
  mutable std::optional<net::Failure> failed_fetch_;  // of the last file
  std::unique_ptr<Files> blobs_, shards_, gradients_, snapshots_;
};

}  // namespace cairn::role
