// Following a long log: decoding, signatures, Merkle tree and fold, as everybody does who verifies a project.
// The files behind the entries, and averaging them, are left out: they grow with the model, not with the log.
#include <fmt/format.h>

#include "base/signature.h"
#include "bench/net.h"
#include "ledger/merkle.h"
#include "role/workshop.h"
#include "trust/state.h"

namespace cairn::bench {
namespace {

using role::must;

constexpr uint32_t kUsers = 1000;
constexpr uint32_t kRoundSize = 1000;  // entries

// A ledger as a sequencer would have written it, with true signatures and false gradients.
class MadeUpLedger {
 public:
  explicit MadeUpLedger(uint64_t entries) {
    for (uint32_t i = 0; i < kUsers; ++i) users_.push_back(SigningKey::generate());
    found();
    for (const SigningKey& user : users_) add(user, ledger::Joined{});
    for (uint64_t done = 0; done < entries; done += kRoundSize) round();
  }

  std::vector<Bytes> take() { return std::move(events_); }

 private:
  void found() {
    ledger::Genesis genesis;
    genesis.root = genesis.coordinator = coordinator_.public_key();
    genesis.judges = {coordinator_.public_key()};
    genesis.policy.exam_entries = 0;
    add(coordinator_, genesis);
  }

  void add(const SigningKey& author, ledger::Body body) {
    const ledger::LogHead seen{tree_.size(), tree_.root()};
    const Digest project = state_.started() ? state_.project() : Digest{};
    const ledger::Event event{1, ledger::sign_statement(author, project, seen, std::move(body))};
    must(state_.apply(event));
    events_.push_back(ledger::encode(event));
    tree_.append(ledger::leaf_hash(events_.back()));
  }

  void round() {
    const trust::Round round = state_.next_round();
    add(coordinator_, ledger::RoundOpened{round, {}, {}});
    std::vector<std::pair<const SigningKey*, ledger::EntryOpened>> openings;
    for (uint32_t i = 0; i < kRoundSize; ++i) {
      const SigningKey& user = users_[i % kUsers];
      const trust::UnitId unit = round * kRoundSize + i;
      const Digest gradient = sha256(as_bytes(std::to_string(unit)));
      const Digest seal = ledger::entry_seal(state_.project(), user.public_key(), round, unit, gradient);
      add(user, ledger::EntrySealed{round, unit, seal});
      openings.push_back({&user, {seal, gradient}});
    }
    for (const auto& [user, opened] : openings) add(*user, opened);
    add(coordinator_,
        ledger::RoundClosed{round, *state_.close_reason(1), kRoundSize, state_.floor_at_close()});
  }

  SigningKey coordinator_ = SigningKey::generate();
  std::vector<SigningKey> users_;
  trust::State state_;
  ledger::MerkleTree tree_;
  std::vector<Bytes> events_;
};

struct VerifyRun {
  double signatures = 0, log = 0, fold = 0;  // seconds
};

VerifyRun verify(const std::vector<Bytes>& log) {
  VerifyRun run;
  trust::State state;
  ledger::MerkleTree tree;
  for (const Bytes& bytes : log) {
    const auto begin = Clock::now();
    const ledger::Event event = must(ledger::decode_event(bytes));
    const ledger::LogHead& seen = event.statement.seen;
    if (seen.size > tree.size() || tree.root_of(seen.size) != seen.root)
      throw std::runtime_error("an author saw another log");
    tree.append(ledger::leaf_hash(bytes));
    const auto decoded = Clock::now();
    if (!ledger::signature_valid(event.statement)) throw std::runtime_error("a signature does not fit");
    const auto checked = Clock::now();
    must(state.apply(event));
    run.log += std::chrono::duration<double>(decoded - begin).count();
    run.signatures += std::chrono::duration<double>(checked - decoded).count();
    run.fold += seconds_since(checked);
  }
  return run;
}

// So many verifications of one signature.
double bare_signatures(uint64_t count) {
  const SigningKey key = SigningKey::generate();
  const Bytes message(200, 1);
  const Signature signature = key.sign(message);
  constexpr uint64_t kSample = 5000;
  const auto start = Clock::now();
  for (uint64_t i = 0; i < kSample; ++i) {
    if (!signature_valid(key.public_key(), message, signature))
      throw std::runtime_error("libsodium is broken");
  }
  return seconds_since(start) * static_cast<double>(count) / kSample;
}

}  // namespace

void measure_verify(const Options& options, Report& report) {
  const std::vector<Bytes> log = MadeUpLedger(options.entries).take();
  std::vector<double> all, signatures, tree, fold, bare, processor;
  for (int i = 0; i < options.repeats; ++i) {
    const double before = processor_seconds();
    const VerifyRun run = verify(log);
    processor.push_back(processor_seconds() - before);
    all.push_back(run.signatures + run.log + run.fold);
    signatures.push_back(run.signatures);
    tree.push_back(run.log);
    fold.push_back(run.fold);
    bare.push_back(bare_signatures(log.size()));
  }
  report.add(
      {"verify", fmt::format("verifying {} entries, {} events", options.entries, log.size()), "s", all});
  report.add({"verify", "  processor time of it", "s", processor});
  report.add({"verify", "  of it: signatures", "s", signatures});
  report.add({"verify", "  of it: decoding, Merkle tree", "s", tree});
  report.add({"verify", "  of it: fold", "s", fold});
  report.add({.measure = "verify",
              .name = "bare Ed25519 verifications, as many",
              .unit = "s",
              .runs = bare,
              .peer = true});
}

}  // namespace cairn::bench
