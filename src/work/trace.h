// The trace of a unit: digests of its training state every so many local steps, in the gradient file. Whoever
// disputes a unit need only recompute the steps between two of them, which are a stretch.
//
// Which states, and their bytes: docs/formats/gradient-file.md. Pure functions, safe from any thread.
#pragma once

#include "work/gradient_file.h"
#include "work/gradient_state.h"

namespace cairn::work {

// The steps [first, last) of a unit's local steps.
struct Steps {
  uint32_t first = 0, last = 0;
  bool operator==(const Steps&) const = default;
};

// 1 where the recipe has no trace: the whole unit.
uint32_t stretch_count(const Recipe& recipe);
// Precondition: index < stretch_count(recipe). Without local steps a unit is one step.
Steps stretch_steps(const Recipe& recipe, uint32_t index);

// How many digests a unit's trace has after so many batches: stretch_count(recipe) - 1 in the end.
uint32_t trace_length(const Recipe& recipe, uint32_t batches);

// What a file says of a stretch: with which digest it begins and ends.
struct StretchEnds {
  Digest before;  // of the training state; of stretch 0: the snapshot
  Digest after;   // of the training state; of the last stretch: the gradient file
  bool operator==(const StretchEnds&) const = default;
};
// Precondition: index <= file.trace.size(). `digest` is the file's.
StretchEnds stretch_ends(const GradientHead& file, const Digest& digest, uint32_t index);

// Between two local steps. What the state's own trace says is not in it.
Bytes encode_training_state(const GradientState& state, const Recipe& recipe);
Digest training_state_digest(const GradientState& state, const Recipe& recipe);  // of these bytes
// Refuses what no unit of that recipe reaches between two stretches, a NaN too.
Result<GradientState> decode_training_state(BytesView bytes, const Recipe& recipe, size_t parameter_count);
bool looks_like_training_state(BytesView beginning);
uint64_t training_state_size(const Recipe& recipe, uint64_t parameter_count);

// Whether the state holds a NaN, whose bits differ from processor to processor: it has no digest.
bool holds_nan(const GradientState& state);

// In the place of what a stretch leads to where the values diverge on the way: no file can state it and be
// true.
Digest diverged_digest();

// The trace within a gradient file.
void write_trace(ByteWriter& writer, const std::vector<Digest>& trace);
std::vector<Digest> read_trace(ByteReader& reader);

}  // namespace cairn::work
