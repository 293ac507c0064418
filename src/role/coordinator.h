// The coordinator: gives what everybody says one order, hands out units, closes rounds and states verdicts.
// It is checked by everybody, not trusted.
//
// One thread, the sequencer, owns the project. What waits for it is taken in batches and made durable
// together (group commit), so an answer means that what it acknowledges survives a kill and a power cut.
// Every public function may be called from any thread and returns at once; callbacks run on the sequencer's
// thread, must not block, and must not call stop().
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <variant>

#include "ledger/receipt.h"
#include "project/contribution.h"
#include "project/project.h"
#include "role/acquaintances.h"
#include "role/averager.h"
#include "role/backlog.h"
#include "role/inspection.h"

namespace cairn::role {

// What a host decides. When rounds close is up to it only where the policy leaves that to the maintainer.
struct HostRule {
  uint32_t quorum = 8;               // sealed entries
  int64_t longest = 30 * 60 * 1000;  // milliseconds; then one entry is enough
  bool invited_only = false;         // newcomers need a code (project/invites.h)
  uint64_t keep_free = 0;            // bytes of disk; where fewer are, no unit is handed out
};

template <typename T>
using Answer = std::function<void(std::variant<T, Refusal>)>;

class Coordinator {
 public:
  // What others get to know of, after it is durable.
  struct News {
    ledger::LogHead head;
    std::optional<trust::Round> open_round;
  };

  Coordinator(project::Project project, SigningKey key, Environment& environment, HostRule rule = {},
              BacklogLimits limits = {});
  ~Coordinator();  // stops
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  // Called after each batch that changed the log. Set before start().
  void on_news(std::function<void(const News&)> tell) { tell_ = std::move(tell); }
  void start();
  void stop();  // finishes the batch under way; what waits is refused

  // -- Operations
  // `invite` is a code, or empty.
  void take_unit(const PublicKey& user, uint32_t slot, std::string invite, Answer<project::Lease> answer);
  void return_unit(const PublicKey& user, trust::UnitId unit, Answer<trust::UnitId> answer);
  void submit(project::PreparedEntry entry, Answer<std::vector<ledger::Receipt>> answer);
  // For who hands in again, since the answer got lost, and has not sent the gradient again.
  void submit_known(const project::Submission& submission, Answer<std::vector<ledger::Receipt>> answer);
  // Statements of whatever kind their authors may make: a claim, a vote, a name. Openings of claims and votes
  // are put aside until their time comes; there is a receipt for each of the others.
  // `blobs` are what they speak of, and enter the project with them. Whoever calls has checked what a claim
  // about a stretch quotes.
  using Blobs = std::vector<std::shared_ptr<PreparedBlob>>;
  void say(std::vector<ledger::Statement> statements, Blobs blobs,
           Answer<std::vector<ledger::Receipt>> answer);
  // Looks at the project between batches. False: too much is waiting, and nobody will look.
  bool look(std::function<void(const project::Project&)> look);

  // -- What may be asked before the sequencer is
  // Whether the file of that digest is that of a revoked or suspended entry, and not to be served.
  bool withdrawn(const Digest& digest) const;
  Acquaintance knows(const PublicKey& key) const { return acquaintances_.of(key, environment_.now()); }
  // Whether a stranger has done the work that joining takes, to be leased a unit.
  Status check_join_work(const PublicKey& stranger, std::optional<uint64_t> nonce) const;

  // -- What never changes
  const Digest& project_id() const { return id_; }
  const PublicKey& key() const { return public_key_; }
  const std::filesystem::path& directory() const { return directory_; }
  uint64_t parameter_count() const { return parameter_count_; }
  uint64_t gradient_size() const { return gradient_size_; }  // bytes of a canonical gradient file
  const work::Recipe& recipe() const { return project_.recipe(); }
  // The head under the coordinator's signature.
  std::string sign_checkpoint(const ledger::LogHead& head) const;

 private:
  void run();
  bool newcomer(const PublicKey& key) const { return knows(key) != Acquaintance::known; }
  void receive_guests();
  void learn();
  void process(std::deque<Operation> operations);
  void write_all(std::vector<Write>& writes);
  void duties();
  bool policy_closes_rounds() const;
  bool round_is_due(int64_t now) const;
  Status close_round_if_due();
  Status open_round_if_averaged();
  void average_from_here();
  bool weights_are_of(uint64_t events) const;
  Status settle_claims();
  Status watch_claims();
  Status drop_blobs_if_due();
  void update_withdrawn();
  int64_t wait_for() const;
  ledger::Receipt receipt(uint64_t index) const;
  bool between_rounds() const;
  Status check_room() const;
  Result<std::vector<ledger::Item>> admit(const PublicKey& user, std::string_view invite) const;
  std::optional<uint64_t> known(const project::Submission& submission) const;

  static constexpr int64_t kNever = INT64_MIN / 2;  // far before any time

  project::Project project_;
  SigningKey key_;
  Environment& environment_;
  HostRule rule_;
  std::function<void(const News&)> tell_;
  Acquaintances acquaintances_;
  size_t learned_ = 0;                   // events of which the acquaintances are
  std::atomic<uint32_t> join_work_ = 0;  // bits, by the policy in force

  Digest id_;
  PublicKey public_key_;
  std::filesystem::path directory_;
  uint64_t parameter_count_ = 0;
  uint64_t gradient_size_ = 0;

  // Of the sequencer alone: what open claims lack, and when that was last looked for; when files were
  // dropped.
  Inspection inspection_;
  std::set<trust::EntryId> lacking_;
  int64_t inspected_ = kNever, dropped_ = kNever;

  mutable std::mutex withdrawn_mutex_;
  std::set<Digest> withdrawn_;
  uint64_t withdrawn_events_ = 0;  // of the log that it follows from

  Backlog backlog_;
  std::thread thread_;
  std::unique_ptr<Averager> averager_;  // the sequencer's; ends before what it looks at
};

}  // namespace cairn::role
