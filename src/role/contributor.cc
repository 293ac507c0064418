#include "role/contributor.h"

#include <algorithm>

#include "project/contribution.h"

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
  CAIRN_CHECK(check_promises());
  const auto open_round = replica_.project().state().open_round();
  if (open_round && over(*open_round)) return Step::stop;
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
  tell({.kind = ContributorNews::Kind::computing, .round = lease->round, .unit = lease->unit});
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

// "Accepted" is believed only with the coordinator's signature under the sealed entry.
Status Contributor::keep(const std::vector<ledger::Receipt>& receipts, const ledger::Statement& sealed) {
  const project::Project& project = replica_.project();
  if (receipts.empty()) return Error{"the coordinator: accepted an entry without a receipt"};
  const Status checked =
      ledger::check_receipt(receipts.back(), project.id(), project.state().coordinator(), sealed);
  if (!checked) return checked.error().within("the coordinator");
  promises_.insert(promises_.end(), receipts.begin(), receipts.end());
  return {};
}

Status Contributor::check_promises() {
  const uint64_t size = replica_.project().head().size;
  for (const ledger::Receipt& receipt : promises_) {
    if (receipt.index >= size) continue;
    if (Status honoured = replica_.check_receipt(receipt); !honoured)
      return honoured.error().within("the coordinator");
  }
  std::erase_if(promises_, [size](const ledger::Receipt& receipt) { return receipt.index < size; });
  return {};
}

Result<Contributor::Step> Contributor::hand_in(const work::GradientFile& gradient) {
  CAIRN_TRY(const project::Submission submission,
            project::make_submission(replica_.project(), key_, options_.name, gradient));
  const Bytes bytes = project::encode(submission);
  for (;;) {
    const auto receipts =
        bytes.size() <= remote_.piece_size()
            ? remote_.submit(bytes)
            : remote_.submit_in_pieces(bytes, request(UnitRequest::Kind::upload, gradient.unit));
    if (receipts) {
      CAIRN_CHECK(keep(*receipts, submission.sealed));
      ++accepted_;
      failures_ = 0;
      tell({.kind = ContributorNews::Kind::accepted,
            .round = gradient.round,
            .unit = gradient.unit,
            .loss = gradient.loss});
      return Step::done;
    }
    if (receipts.error().status == 409) {  // it came too late, say: the work is lost, nothing else
      tell({.kind = ContributorNews::Kind::refused,
            .round = gradient.round,
            .unit = gradient.unit,
            .message = receipts.error().sentence});
      return Step::again;
    }
    CAIRN_TRY(const Step step, wait_out(receipts.error()));
    if (step == Step::stop) return step;
  }
}

}  // namespace cairn::role
