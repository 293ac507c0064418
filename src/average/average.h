// The model as a function of the ledger: the start minus every live gradient, each times its coefficient.
//
// Exact: the order in which entries came, went or changed their weight does not show in any bit, and an entry
// that is gone has left no trace. The definition, to the last bit: docs/formats/averaging.md.
#pragma once

#include <map>

#include "average/contribution.h"
#include "average/gradient_source.h"
#include "average/norm.h"
#include "average/snapshot.h"
#include "trust/state.h"

namespace cairn::average {

// The snapshot with which the next round opens if the ledger goes on from here, from nothing but its
// arguments. `start` is starting_snapshot() of the parameters that the genesis names. Errors name the entry.
Result<Snapshot> average(const trust::State& state, const Snapshot& start, const GradientSource& gradients);

// The same, kept from one state to the next: an update reads and adds only the entries whose coefficients
// have changed, or starts anew where that is cheaper. Not thread-safe.
class RunningAverage {
 public:
  explicit RunningAverage(Snapshot start) : start_(std::move(start)), sum_(start_.grid) {}

  // The snapshot with which the next round opens, equal to average() in every bit. The states may come in any
  // order. After an error the next update starts anew.
  Result<Snapshot> update(const trust::State& state, const GradientSource& gradients);

  uint64_t gradients_read() const { return gradients_read_; }  // so far

 private:
  struct Term {
    Digest gradient;
    Coefficient coefficient;
    bool operator==(const Term&) const = default;
  };
  using Terms = std::map<trust::EntryId, Term>;

  Result<Terms> wanted_terms(const trust::State& state, const GradientSource& gradients);
  Status move_to(const Terms& wanted, const GradientSource& gradients);
  Status remove(trust::EntryId id, const GradientSource& gradients);
  Status set(trust::EntryId id, const Term& wanted, const GradientSource& gradients);
  void start_anew();
  Result<work::GradientFile> read(trust::EntryId id, const Digest& digest, const GradientSource& gradients);
  Result<Norm> norm(const trust::State& state, trust::EntryId id, const GradientSource& gradients);

  Snapshot start_;
  GridSum sum_;
  Terms terms_;  // that are in the sum
  std::map<Digest, Norm> norms_;
  uint64_t gradients_read_ = 0;
};

}  // namespace cairn::average
