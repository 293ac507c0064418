#include "exact/product.h"

#include <algorithm>

#include "exact/arithmetic.h"
#include "exact/product_operands.h"
#include "exact/product_runs.h"

namespace cairn::exact {
namespace {

// A matrix of which the lanes of each k lie side by side: [k][lanes]. `order` says which k is at a position,
// -1 for none; null is the identity. `zeros` is as long as a row.
class StepMatrix final : public PanelSource {
 public:
  StepMatrix(const int16_t* values, int64_t k, int64_t lanes, const int32_t* order, const int16_t* zeros)
      : values_(values), k_(k), lanes_(lanes), order_(order), zeros_(zeros) {}

  void pack(const Microkernels& kernels, int64_t begin, int64_t end, int64_t lane, int64_t lanes, int width,
            int16_t* panels) const override {
    constexpr int64_t kStep = 64;  // few enough for the cache to keep what the next panel needs
    const int16_t* sources[kStep];
    for (int64_t first = begin; first < end; first += kStep) {
      const int64_t steps = std::min(kStep, end - first);
      for (int64_t i = 0; i < steps; ++i) sources[i] = row(first + i);
      int16_t* panel = panels + (first - begin) * width;
      for (int64_t done = 0; done < lanes; done += width, panel += width * (end - begin)) {
        const int held = static_cast<int>(std::min<int64_t>(lanes - done, width));
        kernels.pack_steps(sources, lane + done, held, width, steps / 2, panel);
      }
    }
  }

 private:
  const int16_t* row(int64_t position) const {
    const int64_t k = order_ != nullptr ? order_[position] : position;
    return k < 0 || k >= k_ ? zeros_ : values_ + k * lanes_;
  }

  const int16_t* values_;
  int64_t k_, lanes_;
  const int32_t* order_;
  const int16_t* zeros_;
};

const int16_t* take_zeros(Scratch& scratch, int64_t count) {
  int16_t* zeros = scratch.take<int16_t>(count);
  std::fill_n(zeros, count, int16_t{0});
  return zeros;
}

}  // namespace

const float* take_scales(Scratch& scratch, const int32_t* exponents, int64_t count) {
  float* scales = scratch.take<float>(count + kMostLanes);
  for (int64_t i = 0; i < count; ++i) {
    scales[i] = exponents[i] == kEmptyGroup ? 0.0f : power_of_two(exponents[i]);
  }
  std::fill_n(scales + count, kMostLanes, 0.0f);
  return scales;
}

const float* take_equal_scales(Scratch& scratch, float scale, int64_t count) {
  float* scales = scratch.take<float>(count + kMostLanes);
  std::fill_n(scales, count + kMostLanes, scale);
  return scales;
}

void fast_product_nt(Machine& machine, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b,
                     float* c) {
  machine.scratch.reset();
  const PositionRun all[] = {{(k + 1) / 2 * 2, 0}};
  multiply_tiled(machine, {m, n, all, LaneMatrix(a.values, k), LaneMatrix(b.values, k),
                           take_scales(machine.scratch, a.exponents, m),
                           take_scales(machine.scratch, b.exponents, n), MatrixSink(c, n)});
}

void fast_product_nn(Machine& machine, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b,
                     float* c) {
  machine.scratch.reset();
  const PositionRun all[] = {{(k + 1) / 2 * 2, 0}};
  multiply_tiled(machine, {m, n, all, LaneMatrix(a.values, k),
                           StepMatrix(b.values, k, n, nullptr, take_zeros(machine.scratch, n)),
                           take_scales(machine.scratch, a.exponents, m),
                           take_scales(machine.scratch, b.exponents, n), MatrixSink(c, n)});
}

void fast_product_tn(Machine& machine, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b,
                     float* c) {
  Scratch& scratch = machine.scratch;
  scratch.reset();
  const ProductRuns runs = sort_runs(scratch, k, 1, 1, a.exponents, b.exponents, 0);
  const int64_t positions = runs.runs.empty() ? 0 : runs.runs.back().end;
  int32_t* order = scratch.take<int32_t>(positions);
  std::fill_n(order, positions, -1);
  for (const ProductRuns::Item& item : runs.items) order[item.position] = static_cast<int32_t>(item.index);
  const int16_t* zeros = take_zeros(scratch, std::max(m, n));
  multiply_tiled(
      machine,
      {m, n, runs.runs, StepMatrix(a.values, k, m, order, zeros), StepMatrix(b.values, k, n, order, zeros),
       take_equal_scales(scratch, runs.scale, m), take_equal_scales(scratch, 1.0f, n), MatrixSink(c, n)});
}

}  // namespace cairn::exact
