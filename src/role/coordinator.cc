#include "role/coordinator.h"

#include <algorithm>

#include "average/weighing.h"
#include "ledger/checkpoint.h"
#include "ledger/join_work.h"
#include "project/availability.h"
#include "project/dispute.h"
#include "project/draft.h"
#include "project/invites.h"
#include "project/judgement.h"
#include "project/retention.h"
#include "project/rounds.h"

namespace cairn::role {

using project::Project;

namespace {

constexpr int64_t kInspectionInterval = 10 * 60 * 1000;  // milliseconds
constexpr int64_t kDropInterval = 24 * trust::kHour;
constexpr std::chrono::hours kPreparedTime{24};  // no submission waits for so long

const Refusal kBusy{Refusal::Kind::busy, "too much is waiting; try again later"};

// How long after its lease a newcomer may still hand in: a slow machine is no stranger.
constexpr int64_t kGuestTime = 24 * 60 * 60 * 1000;  // milliseconds

}  // namespace

Coordinator::Coordinator(Project project, SigningKey key, Environment& environment, HostRule rule,
                         BacklogLimits limits)
    : project_(std::move(project)),
      key_(std::move(key)),
      environment_(environment),
      rule_(rule),
      id_(project_.id()),
      public_key_(key_.public_key()),
      directory_(project_.directory()),
      parameter_count_(model::parameter_count(project_.graph())),
      gradient_size_(project_.gradients().size()),
      inspection_(directory_, parameter_count_, gradient_size_),
      backlog_(limits, environment) {
  update_withdrawn();
  learn();
  receive_guests();
}

Coordinator::~Coordinator() {
  stop();
}

void Coordinator::start() {
  averager_ = std::make_unique<Averager>(project_, [this] { backlog_.wake(); });
  thread_ = std::thread([this] { run(); });
}

void Coordinator::stop() {
  backlog_.stop();
  if (thread_.joinable()) thread_.join();
  averager_.reset();
}

std::string Coordinator::sign_checkpoint(const ledger::LogHead& head) const {
  return ledger::sign_checkpoint(id_, head, key_);
}

// -- Who is who

// Before anybody is answered about these events.
void Coordinator::learn() {
  const auto& events = project_.events();
  for (; learned_ < events.size(); ++learned_) acquaintances_.learn(events[learned_]);
  join_work_ = project_.state().policy().join_work;
}

// Newcomers whose lease is older than this process.
void Coordinator::receive_guests() {
  const int64_t now = environment_.now();
  const auto leases = project::leases_of(project_, now);
  if (!leases) return;
  for (const project::Lease& lease : *leases) {
    if (newcomer(lease.holder)) acquaintances_.receive(lease.holder, now, lease.expires + kGuestTime);
  }
}

Status Coordinator::check_join_work(const PublicKey& stranger, std::optional<uint64_t> nonce) const {
  const uint32_t bits = join_work_;
  if (bits == 0 || (nonce && ledger::join_work(id_, stranger, *nonce) >= bits)) return {};
  return Error{"a newcomer's request for a unit takes a proof of work of " + std::to_string(bits) +
               " bits, as joining does; docs/formats/protocol.md says how"};
}

// -- The sequencer

void Coordinator::run() {
  average_from_here();  // so that the first round that closes need not read the whole history
  duties();
  while (auto operations = backlog_.next([this] { return wait_for(); })) {
    process(*std::move(operations));
    duties();
    std::vector<Write> released = backlog_.released(!between_rounds());
    if (released.empty()) continue;
    write_all(released);
    duties();
  }
  backlog_.refuse_all();
}

void Coordinator::process(std::deque<Operation> operations) {
  std::vector<Write> writes;
  std::vector<Look> looks;
  for (Operation& operation : operations) {
    if (auto* write = std::get_if<Write>(&operation)) {
      if (write->needs_round && between_rounds()) {
        backlog_.hold(std::move(*write));
      } else {
        writes.push_back(std::move(*write));
      }
    } else {
      looks.push_back(std::move(std::get<Look>(operation)));
    }
  }
  if (!writes.empty()) write_all(writes);
  for (const Look& look : looks) look(project_);
}

bool Coordinator::between_rounds() const {
  return !project_.state().open_round() && !project_.state().paused();
}

// Refused changes are answered with the others: an answer never tells more than what is on disk.
void Coordinator::write_all(std::vector<Write>& writes) {
  std::vector<Result<uint64_t>> results;
  std::vector<Refusal::Kind> kinds(writes.size(), Refusal::Kind::refused);
  const auto all_failed = [&](const Error& error) {
    for (Write& write : writes) write.done(error, Refusal::Kind::broken);
  };
  auto batch = project_.begin();
  if (!batch) return all_failed(batch.error());
  std::optional<int64_t> newcomers_begin;  // they come last
  for (Write& write : writes) {
    if (write.newcomer && !newcomers_begin) newcomers_begin = environment_.now();
    Result<Project::Change> change = write.make(kinds[results.size()]);
    results.push_back(change ? batch->add(*change) : Result<uint64_t>(change.error()));
    if (batch->broken()) return all_failed(results.back().error());
  }
  if (newcomers_begin) backlog_.count_newcomers(environment_.now() - *newcomers_begin);
  if (Status status = batch->commit(); !status) return all_failed(status.error());
  learn();
  for (size_t i = 0; i < writes.size(); ++i) writes[i].done(results[i], kinds[i]);
  if (tell_) tell_({project_.head(), project_.state().open_round()});
}

// -- What the coordinator does by itself

void Coordinator::duties() {
  const uint64_t before = project_.head().size;
  // What fails here (a full disk, a missing blob) is tried again with the next batch; nothing was
  // acknowledged.
  std::ignore = settle_claims().ok();
  std::ignore = close_round_if_due().ok();
  std::ignore = open_round_if_averaged().ok();
  std::ignore = watch_claims().ok();
  std::ignore = drop_blobs_if_due().ok();
  update_withdrawn();
  learn();
  if (tell_ && project_.head().size != before) tell_({project_.head(), project_.state().open_round()});
}

Status Coordinator::settle_claims() {
  if (!project::settling_is_due(project_.state(), public_key_)) return {};
  const auto verdicts = project::settle_claims(project_, key_);
  return verdicts ? Status() : Status(verdicts.error());
}

// States what cannot be judged for lack of files, and suspends what nobody could judge for a day.
Status Coordinator::watch_claims() {
  const trust::State& state = project_.state();
  const int64_t now = environment_.now();
  if (auto found = inspection_.take()) lacking_ = *std::move(found);
  const bool claims = std::ranges::any_of(state.claims(), [](const trust::Claim& claim) {
    return claim.standing.status == trust::Claim::Status::open;
  });
  if (!claims) return {};
  if (!inspection_.running() && now - inspected_ >= kInspectionInterval) {
    inspected_ = now;
    inspection_.start(project::needs_of_claims(project_));
  }
  const auto statements = project::availability_statements(state, lacking_, now);
  if (statements.empty()) return {};
  const auto said = project_.commit([&]() -> Result<Project::Change> {
    Project::Change change;
    for (const ledger::Body& body : statements) change.statements.push_back(project_.sign(key_, body));
    return change;
  });
  if (!said) return said.error();
  return project::drop_states(project_);  // of claims that are moot now
}

Status Coordinator::drop_blobs_if_due() {
  const int64_t now = environment_.now();
  if (now - dropped_ < kDropInterval) return {};
  dropped_ = now;
  project_.blobs().forget_prepared(kPreparedTime);
  project_.gradients().forget_prepared(kPreparedTime);
  CAIRN_TRY(const uint32_t dropped, project::drop_blobs(project_, key_, now));
  if (dropped == project::kDropsAtOnce) dropped_ = kNever;  // there may be more
  CAIRN_CHECK(project::drop_snapshots(project_, now));
  return {};
}

// Only verdicts, suspensions and what opens with a round change it.
void Coordinator::update_withdrawn() {
  const auto matters = []<class Kind>(const Kind&) {
    using namespace ledger;
    return std::is_same_v<Kind, VerdictReached> || std::is_same_v<Kind, VerdictVoided> ||
           std::is_same_v<Kind, EntrySuspended> || std::is_same_v<Kind, RoundClosed>;
  };
  const auto& events = project_.events();
  const bool changed =
      std::any_of(events.begin() + static_cast<std::ptrdiff_t>(withdrawn_events_), events.end(),
                  [&](const ledger::Event& event) { return std::visit(matters, event.statement.body); });
  withdrawn_events_ = events.size();
  if (!changed) return;
  std::set<Digest> files = project::withdrawn_files(project_.state());
  const std::lock_guard lock(withdrawn_mutex_);
  withdrawn_ = std::move(files);
}

bool Coordinator::withdrawn(const Digest& digest) const {
  const std::lock_guard lock(withdrawn_mutex_);
  return withdrawn_.contains(digest);
}

bool Coordinator::policy_closes_rounds() const {
  const ledger::Policy& policy = project_.state().policy();
  return policy.quorum > 0 || policy.round_time > 0;
}

bool Coordinator::round_is_due(int64_t now) const {
  if (policy_closes_rounds()) return project_.state().close_reason(now).has_value();
  const trust::RoundRecord& round = project_.state().rounds().back();
  if (round.sealed.size() >= rule_.quorum) return true;
  return now >= round.opened + rule_.longest && !project_.state().waiting().empty();
}

Status Coordinator::close_round_if_due() {
  if (!project_.state().open_round() || !round_is_due(environment_.now())) return {};
  const auto closed = project::close_round(project_, key_);
  return closed ? Status() : Status(closed.error());
}

// From a copy, since the log goes on meanwhile.
void Coordinator::average_from_here() {
  if (!averager_->busy()) averager_->start(project_.state(), project_.events().size());
}

// Whether the weights are still those of the log's first so many events.
bool Coordinator::weights_are_of(uint64_t events) const {
  const auto since = std::span(project_.events()).subspan(events);
  return std::ranges::all_of(
      since, [](const ledger::Event& event) { return average::leaves_weights(event.statement.body); });
}

// What fails (a gradient is missing, the project is paused) is tried again in a moment.
Status Coordinator::open_round_if_averaged() {
  auto made = averager_->take();
  if (project_.state().open_round()) return {};
  if (!made || !weights_are_of(made->events)) {
    average_from_here();
    return {};
  }
  const auto opened =
      project::open_round(project_, key_, [&](const trust::State&) -> Result<average::Snapshot> {
        if (!weights_are_of(made->events)) return Error{"the log went on meanwhile"};  // by another process
        return std::move(made->snapshot);
      });
  return opened ? Status() : Status(opened.error());
}

// Until a round may be over by its time; entries that come in wake the sequencer by themselves.
int64_t Coordinator::wait_for() const {
  constexpr int64_t kShort = 50, kRetry = 1000, kLong = 60'000;
  const trust::State& state = project_.state();
  if (!state.open_round()) return kRetry;
  if (state.waiting().empty()) return kLong;
  const auto time = static_cast<int64_t>(state.policy().round_time);
  if (policy_closes_rounds() && time == 0) return kLong;
  const int64_t longest = policy_closes_rounds() ? time : rule_.longest;
  return std::clamp(state.rounds().back().opened + longest - environment_.now(), kShort, kLong);
}

// -- Operations

ledger::Receipt Coordinator::receipt(uint64_t index) const {
  const ledger::Event& event = project_.events()[index];
  return ledger::sign_receipt(key_, id_, ledger::leaf_hash(ledger::encode(event)), index, event.time);
}

// What lets a newcomer in, where they need to be let in.
Result<std::vector<ledger::Item>> Coordinator::admit(const PublicKey& user, std::string_view invite) const {
  if (!rule_.invited_only) return std::vector<ledger::Item>{};
  return project::admit(project_, user, invite);
}

// What is under way still comes in; nothing more is begun.
Status Coordinator::check_room() const {
  std::error_code error;
  const auto space = std::filesystem::space(directory_, error);
  if (error || space.available >= rule_.keep_free) return {};
  return Error{"the host's disk is nearly full, and it hands out no unit until there is room"};
}

void Coordinator::take_unit(const PublicKey& user, uint32_t slot, std::string invite,
                            Answer<project::Lease> answer) {
  auto lease = std::make_shared<project::Lease>();
  const uint64_t random = environment_.random_word();
  Write write;
  write.needs_round = true;
  write.make = [this, user, slot, invite, random, lease](Refusal::Kind& kind) -> Result<Project::Change> {
    if (const Status room = check_room(); !room) {
      kind = Refusal::Kind::busy;
      return room.error();
    }
    const auto admitted = admit(user, invite);
    if (!admitted) {
      kind = Refusal::Kind::forbidden;
      return admitted.error();
    }
    CAIRN_TRY(Project::Change change,
              project::take_unit_change(project_, {user, slot, environment_.now(), random}, *lease));
    change.meta.insert(change.meta.end(), admitted->begin(), admitted->end());
    return change;
  };
  write.done = [this, lease, answer](const Result<uint64_t>& done, Refusal::Kind kind) {
    if (!done) return answer(Refusal{kind, done.error().message});
    if (newcomer(lease->holder))
      acquaintances_.receive(lease->holder, environment_.now(), lease->expires + kGuestTime);
    answer(*lease);
  };
  write.newcomer = newcomer(user);
  if (!backlog_.add(std::move(write))) answer(kBusy);
}

void Coordinator::return_unit(const PublicKey& user, trust::UnitId unit, Answer<trust::UnitId> answer) {
  Write write;
  write.needs_round = true;
  write.make = [this, user, unit](Refusal::Kind&) {
    return project::return_unit_change(project_, user, unit, environment_.now());
  };
  write.done = [unit, answer](const Result<uint64_t>& done, Refusal::Kind kind) {
    if (!done) return answer(Refusal{kind, done.error().message});
    answer(unit);
  };
  if (!backlog_.add(std::move(write))) answer(kBusy);
}

// The event of a seal that is in the log already: its author asks again because the answer got lost.
std::optional<uint64_t> Coordinator::known(const project::Submission& submission) const {
  const auto& sealed = std::get<ledger::EntrySealed>(submission.sealed.body);
  const auto user = project_.state().user_of(submission.sealed.author);
  if (!user || !project_.state().sealed_by(*user, sealed.seal)) return std::nullopt;
  const auto& events = project_.events();
  for (uint64_t index = events.size(); index-- > 0;) {
    const auto* other = std::get_if<ledger::EntrySealed>(&events[index].statement.body);
    if (other != nullptr && other->seal == sealed.seal) return index;
  }
  return std::nullopt;
}

void Coordinator::submit(project::PreparedEntry prepared, Answer<std::vector<ledger::Receipt>> answer) {
  struct Entry {
    project::PreparedEntry prepared;
    size_t statements = 0;
    std::optional<uint64_t> known;
  };
  const PublicKey author = prepared.submission.sealed.author;
  auto entry = std::make_shared<Entry>(Entry{std::move(prepared), 0, {}});
  Write write;
  write.needs_round = true;
  write.make = [this, entry, author](Refusal::Kind&) -> Result<Project::Change> {
    entry->known = known(entry->prepared.submission);
    if (entry->known) return Project::Change{};
    CAIRN_CHECK(admit(author, ""));
    CAIRN_TRY(Project::Change change, project::entry_change(project_, entry->prepared, environment_.now()));
    entry->statements = change.statements.size();
    return change;
  };
  write.done = [this, entry, answer](const Result<uint64_t>& first, Refusal::Kind kind) {
    if (!first) return answer(Refusal{kind, first.error().message});
    std::vector<ledger::Receipt> receipts;
    if (entry->known) receipts.push_back(receipt(*entry->known));
    for (size_t i = 0; i < entry->statements; ++i) receipts.push_back(receipt(*first + i));
    answer(std::move(receipts));
  };
  write.newcomer = newcomer(author);
  if (!backlog_.add(std::move(write))) answer(kBusy);
}

void Coordinator::submit_known(const project::Submission& submission,
                               Answer<std::vector<ledger::Receipt>> answer) {
  const bool asked = look([this, submission, answer](const Project&) {
    const auto index = known(submission);
    if (index) return answer(std::vector{receipt(*index)});
    answer(Refusal{Refusal::Kind::busy, "upload: nothing of the gradient is here; send it first"});
  });
  if (!asked) answer(kBusy);
}

void Coordinator::say(std::vector<ledger::Statement> statements, Blobs blobs,
                      Answer<std::vector<ledger::Receipt>> answer) {
  auto said = std::make_shared<std::vector<ledger::Statement>>(std::move(statements));
  auto count = std::make_shared<size_t>(0);
  Write write;
  write.make = [this, said, count, blobs](Refusal::Kind&) -> Result<Project::Change> {
    CAIRN_TRY(Project::Change change, project::statements_change(project_, *said));
    *count = change.statements.size();
    change.blobs.insert(change.blobs.end(), blobs.begin(), blobs.end());
    return change;
  };
  write.done = [this, count, answer](const Result<uint64_t>& first, Refusal::Kind kind) {
    if (!first) return answer(Refusal{kind, first.error().message});
    std::vector<ledger::Receipt> receipts;
    for (size_t i = 0; i < *count; ++i) receipts.push_back(receipt(*first + i));
    answer(std::move(receipts));
  };
  if (!backlog_.add(std::move(write))) answer(kBusy);
}

bool Coordinator::look(std::function<void(const Project&)> look) {
  return backlog_.add(std::move(look));
}

}  // namespace cairn::role
