// Who computes: takes a unit, computes its gradient, hands it in, and goes on until told to stop.
//
// One thread at a time; the observer is called on it. Failures of the network are waited out with growing
// pauses; everything else ends the work, a receipt that is none or that the log does not honour above all.
#pragma once

#include <functional>

#include "base/shared_bytes.h"
#include "project/trainer.h"
#include "role/replica.h"

namespace cairn::role {

// Waits without holding anything up: false once the user wants to stop.
using Pause = std::function<bool(int64_t milliseconds)>;

// What the snapshot of a round gets right on the test images.
using Evaluate = std::function<Result<work::Evaluation>(trust::Round round)>;

// The gradient of a unit; progress that returns false ends it with an error.
using Compute = std::function<Result<work::GradientFile>(trust::Round round, trust::UnitId unit,
                                                         const Progress& progress)>;
Compute compute_with(project::Trainer& trainer);  // which outlives it

struct ContributorOptions {
  std::string name;                   // of the user in this project
  uint32_t units = 0;                 // to hand in; 0: until told to stop
  uint32_t rounds = 0;                // to take part in, beginning with the one that is open; 0 as above
  std::filesystem::path outbox = {};  // where a submission waits until it is acknowledged; empty: nowhere
};

// What a person wants to see while it goes on.
struct ContributorNews {
  enum class Kind : uint8_t { computing, accepted, refused, waiting, evaluating, evaluated };
  Kind kind = Kind::computing;
  trust::Round round = 0;
  trust::UnitId unit = 0;
  uint64_t accepted = 0;             // units so far, of this run
  float loss = 0;                    // of an accepted one
  std::string message = {};          // why it was refused, or what is waited for
  int64_t expires = 0;               // the lease of the unit that is computed: Unix milliseconds
  work::Evaluation evaluation = {};  // once it is stated
};

class Contributor {
 public:
  Contributor(Remote& remote, Replica& replica, SigningKey key, Compute compute, ContributorOptions options,
              Environment& environment)
      : remote_(remote),
        replica_(replica),
        key_(std::move(key)),
        compute_(std::move(compute)),
        options_(std::move(options)),
        environment_(environment) {}

  std::function<void(const ContributorNews&)> on_news;
  Progress progress;  // of the unit that is being computed; false: stop
  Pause pause;
  Evaluate evaluate;  // empty: leaves that to others

  // Until `units` are accepted or `rounds` are over, or a callback says stop: all are success.
  Status run();

  uint64_t accepted() const { return accepted_; }

 private:
  enum class Step : uint8_t { done, again, stop };
  Result<Step> one_unit();
  bool over(trust::Round open);
  Result<Step> evaluate_if_asked();
  UnitRequest request(UnitRequest::Kind kind, trust::UnitId unit) const;
  Status do_join_work();
  void give_back(trust::UnitId unit);
  // A signed submission and what is told about it.
  struct Parcel {
    project::Submission submission;
    trust::Round round = 0;
    trust::UnitId unit = 0;
    float loss = 0;
  };
  Result<Step> hand_in_what_was_left();
  Result<Parcel> left_over(const SharedBytes& bytes) const;
  Result<Step> hand_in(const work::GradientFile& gradient);
  Result<Step> send(const Parcel& parcel);
  Result<Step> acknowledged(const Parcel& parcel, const std::vector<ledger::Receipt>& receipts);
  Step dropped(const Parcel& parcel, const std::string& why);
  void forget_outbox() const;
  bool leased_again(const Parcel& parcel);
  net::Outcome<std::vector<ledger::Receipt>> upload(const Parcel& parcel);
  Status keep(const std::vector<ledger::Receipt>& receipts, const ledger::Statement& sealed);
  Result<Step> wait_out(const net::Failure& failure);
  void tell(ContributorNews news);

  Remote& remote_;
  Replica& replica_;
  SigningKey key_;
  Compute compute_;
  ContributorOptions options_;
  Environment& environment_;
  uint64_t accepted_ = 0;
  std::optional<trust::Round> first_round_;
  int failures_ = 0;        // in a row
  uint32_t join_work_ = 0;  // bits that were proved
};

}  // namespace cairn::role
