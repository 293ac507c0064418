#include "role/contributor.h"

#include <algorithm>

#include "base/file.h"
#include "ledger/join_work.h"
#include "project/contribution.h"
#include "project/evaluation.h"

namespace cairn::role {
namespace {

constexpr int64_t kShortestPause = 500, kLongestPause = 60'000;  // milliseconds

}  // namespace

Compute compute_with(project::Trainer& trainer) {
  return [&trainer](trust::Round round, trust::UnitId unit, const Progress& progress) {
    return trainer.gradient(round, unit, progress);
  };
}

void Contributor::tell(ContributorNews news) {
  news.accepted = accepted_;
  if (on_news) on_news(news);
}

Status Contributor::run() {
  CAIRN_TRY(const Step left, hand_in_what_was_left());
  if (left == Step::stop) return {};
  while (options_.units == 0 || accepted_ < options_.units) {
    CAIRN_TRY(const Step step, one_unit());
    if (step == Step::stop) return {};
  }
  return {};
}

// Doubles the pause with every failure in a row, and adds a random part, so that those whom a restart of the
// coordinator cut off do not come back all at once.
Result<Contributor::Step> Contributor::wait_out(const net::Failure& failure) {
  if (failure.kind == net::Failure::Kind::cancelled) return Step::stop;
  if (!failure.may_pass()) return Error{failure.message};
  const int64_t longest = std::min(kLongestPause, kShortestPause << std::min(failures_, 7));
  ++failures_;
  const int64_t random =
      static_cast<int64_t>(environment_.random_word() % static_cast<uint64_t>(longest / 2));
  const int64_t wait = std::max<int64_t>(longest / 2 + random, int64_t{1000} * failure.retry_after_s);
  tell({.kind = ContributorNews::Kind::waiting, .message = failure.message});
  return !pause || pause(wait) ? Step::again : Step::stop;
}

UnitRequest Contributor::request(UnitRequest::Kind kind, trust::UnitId unit) const {
  UnitRequest request;
  request.kind = kind;
  request.project = replica_.project().id();
  request.time = environment_.now();
  request.unit = unit;
  return sign_request(key_, request);
}

// A newcomer is given a unit for the work that joining takes.
Status Contributor::do_join_work() {
  const trust::State& state = replica_.project().state();
  const uint32_t bits = state.policy().join_work;
  if (bits <= join_work_ || state.user_of(key_.public_key())) return {};
  CAIRN_TRY(const uint64_t nonce,
            ledger::find_join_nonce(replica_.project().id(), key_.public_key(), bits, progress));
  remote_.set_join_work(nonce);
  join_work_ = bits;
  return {};
}

// So that the next who asks gets it at once; if the host cannot be reached the lease lapses by itself.
void Contributor::give_back(trust::UnitId unit) {
  std::ignore = remote_.return_unit(request(UnitRequest::Kind::give_back, unit)).ok();
}

bool Contributor::over(trust::Round open) {
  if (!first_round_) first_round_ = open;
  return options_.rounds > 0 && open - *first_round_ >= options_.rounds;
}

Result<Contributor::Step> Contributor::one_unit() {
  if (auto synced = replica_.sync(); !synced) return wait_out(synced.error());
  const auto open_round = replica_.project().state().open_round();
  if (open_round && over(*open_round)) return Step::stop;
  CAIRN_TRY(const Step evaluated, evaluate_if_asked());
  if (evaluated != Step::done) return evaluated;
  CAIRN_CHECK(do_join_work());
  const auto lease = remote_.take_unit(request(UnitRequest::Kind::lease, 0));
  if (!lease) {
    // Between two rounds no unit is out; that passes like a busy server.
    if (lease.error().status == 409) {
      return wait_out({net::Failure::Kind::network, lease.error().sentence});
    }
    return wait_out(lease.error());
  }
  failures_ = 0;
  if (!open_round || *open_round < lease->round) return Step::again;  // opened since the log was read
  tell({.kind = ContributorNews::Kind::computing,
        .round = lease->round,
        .unit = lease->unit,
        .expires = lease->expires});
  auto gradient = compute_(lease->round, lease->unit, progress);
  if (!gradient) {
    const net::Failure why = remote_.explain(gradient.error());
    if (why.may_pass()) return wait_out(why);  // the lease stays: the unit is taken up again
    give_back(lease->unit);
    if (progress && !progress(0, 0)) return Step::stop;
    return gradient.error();
  }
  return hand_in(*gradient);
}

// Before the next unit. What others stated meanwhile makes this one superfluous, not wrong.
Result<Contributor::Step> Contributor::evaluate_if_asked() {
  const project::Project& project = replica_.project();
  const auto user = project.state().user_of(key_.public_key());
  const auto round = evaluate && user ? project::evaluation_wanted(project, *user) : std::nullopt;
  if (!round) return Step::done;
  tell({.kind = ContributorNews::Kind::evaluating, .round = *round});
  const auto found = evaluate(*round);
  if (!found) {
    const net::Failure why = remote_.explain(found.error());
    if (lacks_files(why)) return Step::done;  // an old snapshot, say, that the host has dropped
    if (why.may_pass()) return wait_out(why);
    if (progress && !progress(0, 0)) return Step::stop;
    return found.error();
  }
  const auto said = remote_.say({project.sign(key_, project::evaluated(*round, *found))});
  if (!said && said.error().status != 409) return wait_out(said.error());
  if (!said) return Step::done;
  CAIRN_CHECK(replica_.keep(*said));
  tell({.kind = ContributorNews::Kind::evaluated, .round = *round, .evaluation = *found});
  return Step::again;
}

// "Accepted" is believed only with the coordinator's signature under the sealed entry.
Status Contributor::keep(const std::vector<ledger::Receipt>& receipts, const ledger::Statement& sealed) {
  const project::Project& project = replica_.project();
  if (receipts.empty()) return Error{"the coordinator: accepted an entry without a receipt"};
  const Status checked =
      ledger::check_receipt(receipts.back(), project.id(), project.state().coordinator(), sealed);
  if (!checked) return checked.error().within("the coordinator");
  return replica_.keep(receipts);
}

// On disk before the first byte of it is sent: a crash loses nothing of a unit that is computed. It is sent
// all the same where the disk is full.
Result<Contributor::Step> Contributor::hand_in(const work::GradientFile& gradient) {
  CAIRN_TRY(project::Submission submission,
            project::make_submission(replica_.project(), key_, options_.name, gradient));
  const Parcel parcel{std::move(submission), gradient.round, gradient.unit, gradient.loss};
  if (!options_.outbox.empty()) {
    std::ignore = make_directory(options_.outbox.parent_path()).ok();
    std::ignore = write_file(options_.outbox, project::encode(parcel.submission)).ok();
  }
  return send(parcel);
}

// What an earlier run had computed and nobody acknowledged.
Result<Contributor::Step> Contributor::hand_in_what_was_left() {
  std::error_code error;
  if (options_.outbox.empty() || !std::filesystem::exists(options_.outbox, error)) return Step::done;
  const uint64_t size = replica_.project().gradients().size();
  CAIRN_TRY(const SharedBytes bytes, map_file(options_.outbox, project::max_submission_size(size)));
  const auto parcel = left_over(bytes);
  if (parcel) return send(*parcel);
  dropped({}, "what an earlier run had left is of no use: " + parcel.error().message);
  return Step::done;
}

Result<Contributor::Parcel> Contributor::left_over(const SharedBytes& bytes) const {
  CAIRN_TRY(project::Submission submission, project::decode_submission(bytes));
  const project::Project& project = replica_.project();
  CAIRN_TRY(const project::CheckedGradient checked,
            project::check_submission(project.id(), submission, project.gradients()));
  const work::GradientSummary& gradient = checked.summary;
  if (submission.sealed.author != key_.public_key()) return Error{"another key signed it"};
  return Parcel{std::move(submission), gradient.round, gradient.unit, gradient.loss};
}

net::Outcome<std::vector<ledger::Receipt>> Contributor::upload(const Parcel& parcel) {
  return remote_.submit(parcel.submission,
                        [this, &parcel] { return request(UnitRequest::Kind::upload, parcel.unit); });
}

// Pieces are taken from who holds the lease, which may have lapsed while this computer slept.
bool Contributor::leased_again(const Parcel& parcel) {
  const auto lease = remote_.take_unit(request(UnitRequest::Kind::lease, 0));
  return lease && lease->round == parcel.round && lease->unit == parcel.unit;
}

Result<Contributor::Step> Contributor::acknowledged(const Parcel& parcel,
                                                    const std::vector<ledger::Receipt>& receipts) {
  CAIRN_CHECK(keep(receipts, parcel.submission.sealed));
  forget_outbox();
  ++accepted_;
  failures_ = 0;
  tell({.kind = ContributorNews::Kind::accepted,
        .round = parcel.round,
        .unit = parcel.unit,
        .loss = parcel.loss});
  return Step::done;
}

void Contributor::forget_outbox() const {
  std::error_code error;
  if (!options_.outbox.empty()) std::filesystem::remove(options_.outbox, error);
}

// The round closed meanwhile, say: the work is lost, nothing else.
Contributor::Step Contributor::dropped(const Parcel& parcel, const std::string& why) {
  forget_outbox();
  tell({.kind = ContributorNews::Kind::refused, .round = parcel.round, .unit = parcel.unit, .message = why});
  return Step::again;
}

Result<Contributor::Step> Contributor::send(const Parcel& parcel) {
  for (bool asked_again = false;;) {
    const auto receipts = upload(parcel);
    if (receipts) return acknowledged(parcel, *receipts);
    const net::Failure& failure = receipts.error();
    const bool in_pieces = remote_.goes_in_pieces(parcel.submission);
    if (failure.status == 403 && in_pieces && !std::exchange(asked_again, true)) {
      if (leased_again(parcel)) continue;
      return dropped(parcel, "its lease has lapsed, and somebody else has the unit");
    }
    if (failure.status == 409) return dropped(parcel, failure.sentence);
    if (failure.status == 400 || failure.status == 413) forget_outbox();  // or each run would end with it
    CAIRN_TRY(const Step step, wait_out(failure));
    if (step == Step::stop) return step;
  }
}

}  // namespace cairn::role
