#include "work/gradient_state.h"

#include <algorithm>
#include <bit>
#include <span>

#include "exact/backend.h"
#include "work/trace.h"

namespace cairn::work {
namespace {

constexpr std::string_view kMagic = "cairn unit state";
constexpr uint16_t kVersion = 2;
constexpr size_t kArrays = 4;  // in a state

static_assert(std::endian::native == std::endian::little, "canonical bytes are those of memory");

Bytes header(const GradientTask& task, const Recipe& recipe) {
  ByteWriter writer;
  writer.raw(as_bytes(kMagic));
  writer.u16(kVersion);
  writer.u32(exact::kArithmeticVersion);
  writer.raw(task.project.bytes);
  writer.raw(sha256(encode(recipe)).bytes);
  writer.raw(task.snapshot.bytes);
  writer.u32(task.round);
  writer.u32(task.unit);
  return writer.take();
}

// Whole arrays at once: there may be hundreds of megabytes.
void write_floats(ByteWriter& writer, std::span<const float> values) {
  writer.u32(static_cast<uint32_t>(values.size()));
  writer.raw({reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()});
}

std::vector<float> read_floats(ByteReader& reader, const char* field, size_t max_count) {
  const uint32_t count = reader.count(field, sizeof(float), static_cast<uint32_t>(max_count));
  const BytesView bytes = reader.raw(field, size_t{count} * sizeof(float));
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

Status check_state(const GradientState& state, const Recipe& recipe, size_t parameter_count) {
  if (state.batches == 0) return state == GradientState{} ? Status() : Error{"batches: is 0 in the middle"};
  const auto is = [](const std::vector<float>& values, size_t count, const char* field) -> Status {
    if (values.size() == count) return {};
    return Error{std::string(field) + ": has " + std::to_string(values.size()) + " values where " +
                 std::to_string(count) + " are expected"};
  };
  if (state.batches > recipe.unit_images() / recipe.batch) return Error{"batches: are more than a unit has"};
  const bool local = recipe.local_steps > 0;
  const bool between = local && state.batches % recipe.accumulation == 0;
  const size_t count = local ? parameter_count : 0;
  CAIRN_CHECK(is(state.sum, between ? 0 : parameter_count, "sum"));
  CAIRN_CHECK(is(state.parameters, count, "parameters"));
  CAIRN_CHECK(is(state.optimizer.first, count, "first moment"));
  if (state.trace.size() != trace_length(recipe, state.batches))
    return Error{"trace: is not as long as it is after so many batches"};
  return is(state.optimizer.second, recipe.optimizer == Optimizer::adamw ? count : 0, "second moment");
}

Bytes encode_state(const GradientState& state, const GradientTask& task, const Recipe& recipe) {
  ByteWriter writer;
  writer.raw(header(task, recipe));
  writer.u32(state.batches);
  writer.f32(state.loss_sum);
  writer.f32(state.optimizer.beta1_power);
  writer.f32(state.optimizer.beta2_power);
  write_floats(writer, state.sum);
  write_floats(writer, state.parameters);
  write_floats(writer, state.optimizer.first);
  write_floats(writer, state.optimizer.second);
  write_trace(writer, state.trace);
  const Digest digest = sha256(writer.bytes());
  writer.raw(digest.bytes);
  return writer.take();
}

Result<GradientState> decode_state(BytesView bytes, const GradientTask& task, const Recipe& recipe,
                                   size_t parameter_count) {
  const Bytes expected = header(task, recipe);
  constexpr size_t kDigest = 32;
  if (bytes.size() < expected.size() + kDigest || !std::ranges::equal(bytes.first(expected.size()), expected))
    return Error{"is of another unit, model, recipe or program"};
  const BytesView content = bytes.first(bytes.size() - kDigest);
  if (!std::ranges::equal(bytes.last(kDigest), sha256(content).bytes)) return Error{"is damaged"};
  ByteReader reader(content.subspan(expected.size()));
  GradientState state;
  state.batches = reader.u32("batches");
  state.loss_sum = reader.f32("loss");
  state.optimizer.beta1_power = reader.f32("beta1 power");
  state.optimizer.beta2_power = reader.f32("beta2 power");
  state.sum = read_floats(reader, "sum", parameter_count);
  state.parameters = read_floats(reader, "parameters", parameter_count);
  state.optimizer.first = read_floats(reader, "first moment", parameter_count);
  state.optimizer.second = read_floats(reader, "second moment", parameter_count);
  state.trace = read_trace(reader);
  CAIRN_CHECK(reader.finish());
  CAIRN_CHECK(check_state(state, recipe, parameter_count));
  return state;
}

uint64_t max_state_size(size_t parameter_count) {
  return 1024 + kMaxTrace * sizeof(Digest) + kArrays * sizeof(float) * uint64_t{parameter_count};
}

}  // namespace cairn::work
