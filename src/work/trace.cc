#include "work/trace.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace cairn::work {
namespace {

constexpr std::string_view kMagic = "cairn training state";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeadSize = 4 + kMagic.size() + 4 + 4 + 3 * sizeof(float) + 4;

static_assert(std::endian::native == std::endian::little, "canonical bytes are those of memory");

bool has_second_moment(const Recipe& recipe) {
  return recipe.optimizer == Optimizer::adamw;
}

Bytes encode_head(const GradientState& state, const Recipe& recipe) {
  CAIRN_ASSERT(state.batches > 0 && state.batches % recipe.accumulation == 0 && state.sum.empty());
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(kVersion);
  writer.u32(state.batches / recipe.accumulation);
  writer.f32(state.loss_sum);
  writer.f32(state.optimizer.beta1_power);
  writer.f32(state.optimizer.beta2_power);
  writer.u32(static_cast<uint32_t>(state.parameters.size()));
  return writer.take();
}

BytesView bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> read_floats(ByteReader& reader, const char* field, size_t count) {
  const BytesView bytes = reader.raw(field, count * sizeof(float));
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void read_head(ByteReader& reader, const Recipe& recipe, size_t parameter_count, GradientState& state) {
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no training state");
  if (reader.u32("version") != kVersion) reader.fail("version", "is not 1");
  const uint32_t steps = reader.u32("steps");
  if (steps == 0 || steps >= recipe.local_steps || recipe.trace == 0 || steps % recipe.trace != 0)
    reader.fail("steps", std::to_string(steps) + " do not end a stretch of the recipe");
  if (reader.ok()) state.batches = steps * recipe.accumulation;
  state.loss_sum = reader.f32("loss");
  state.optimizer.beta1_power = reader.f32("beta1 power");
  state.optimizer.beta2_power = reader.f32("beta2 power");
  if (reader.u32("parameters") != parameter_count)
    reader.fail("parameters", "are not as many as the model has");
}

}  // namespace

uint32_t stretch_count(const Recipe& recipe) {
  if (recipe.trace == 0 || recipe.local_steps == 0) return 1;
  return (recipe.local_steps - 1) / recipe.trace + 1;
}

Steps stretch_steps(const Recipe& recipe, uint32_t index) {
  CAIRN_ASSERT(index < stretch_count(recipe));
  const uint32_t all = std::max(recipe.local_steps, 1u);
  if (stretch_count(recipe) == 1) return {0, all};
  return {index * recipe.trace, index + 1 == stretch_count(recipe) ? all : (index + 1) * recipe.trace};
}

uint32_t trace_length(const Recipe& recipe, uint32_t batches) {
  const uint32_t stretches = stretch_count(recipe);
  return stretches == 1 ? 0 : std::min(batches / recipe.accumulation / recipe.trace, stretches - 1);
}

StretchEnds stretch_ends(const GradientHead& file, const Digest& digest, uint32_t index) {
  CAIRN_ASSERT(index <= file.trace.size());
  return {index == 0 ? file.snapshot : file.trace[index - 1],
          index == file.trace.size() ? digest : file.trace[index]};
}

Bytes encode_training_state(const GradientState& state, const Recipe& recipe) {
  ByteWriter writer;
  writer.raw(encode_head(state, recipe));
  for (const auto* values : {&state.parameters, &state.optimizer.first, &state.optimizer.second})
    writer.raw(bytes_of(*values));
  return writer.take();
}

// There may be gigabytes, so that they are not copied.
Digest training_state_digest(const GradientState& state, const Recipe& recipe) {
  Hasher hasher;
  hasher.update(encode_head(state, recipe));
  for (const auto* values : {&state.parameters, &state.optimizer.first, &state.optimizer.second})
    hasher.update(bytes_of(*values));
  return hasher.finish();
}

Result<GradientState> decode_training_state(BytesView bytes, const Recipe& recipe, size_t parameter_count) {
  ByteReader reader(bytes);
  GradientState state;
  read_head(reader, recipe, parameter_count, state);
  state.parameters = read_floats(reader, "parameters", parameter_count);
  state.optimizer.first = read_floats(reader, "first moment", parameter_count);
  state.optimizer.second =
      read_floats(reader, "second moment", has_second_moment(recipe) ? parameter_count : 0);
  if (reader.ok() && holds_nan(state)) reader.fail("values", "one is no number");
  if (Status status = reader.finish(); !status) return status.error().within("training state");
  return state;
}

bool looks_like_training_state(BytesView beginning) {
  ByteReader reader(beginning);
  return reader.string("magic", kMagic.size()) == kMagic;
}

uint64_t training_state_size(const Recipe& recipe, uint64_t parameter_count) {
  return kHeadSize + (has_second_moment(recipe) ? 3 : 2) * sizeof(float) * parameter_count;
}

bool holds_nan(const GradientState& state) {
  const auto is_nan = [](float value) { return std::isnan(value); };
  if (std::ranges::any_of(
          std::array{state.loss_sum, state.optimizer.beta1_power, state.optimizer.beta2_power}, is_nan))
    return true;
  return std::ranges::any_of(state.parameters, is_nan) ||
         std::ranges::any_of(state.optimizer.first, is_nan) ||
         std::ranges::any_of(state.optimizer.second, is_nan);
}

Digest diverged_digest() {
  return Hasher("cairn diverged").finish();
}

void write_trace(ByteWriter& writer, const std::vector<Digest>& trace) {
  writer.u32(static_cast<uint32_t>(trace.size()));
  for (const Digest& digest : trace) writer.raw(digest.bytes);
}

std::vector<Digest> read_trace(ByteReader& reader) {
  std::vector<Digest> trace(reader.count("trace", sizeof(Digest), kMaxTrace));
  for (Digest& digest : trace) digest.bytes = reader.array<32>("trace");
  return trace;
}

}  // namespace cairn::work
