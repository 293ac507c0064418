// Windows over images: padding, pools and means.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Operator;
using model::ValueId;

constexpr int64_t kMaxWindow = 1 << 16;

Status check_pairs(const std::vector<int64_t>& values, const char* field) {
  const auto fits = [](int64_t value) { return value >= 1 && value <= kMaxWindow; };
  if (values.size() == 2 && std::ranges::all_of(values, fits)) return {};
  return Error{std::string(field) + " must be two numbers of 1 to " + std::to_string(kMaxWindow) +
               " (height and width)"};
}

// ONNX's SAME_UPPER and SAME_LOWER: as many windows as strides fit into the image; odd padding goes to the
// end (upper) or the beginning (lower).
Pads same_padding(const model::Shape& x, const model::Attributes& window,
                  const std::vector<int64_t>& dilations, bool upper) {
  Pads pads{};
  for (size_t d = 0; d < 2; ++d) {
    const int64_t size = x[d + 2], stride = window.strides[d];
    const int64_t windows = (size + stride - 1) / stride;
    const int64_t extent = (window.kernel[d] - 1) * dilations[d] + 1;
    const int64_t total = std::max<int64_t>(0, (windows - 1) * stride + extent - size);
    pads[d] = upper ? total / 2 : total - total / 2;
    pads[d + 2] = total - pads[d];
  }
  return pads;
}

Result<Pads> read_pads(NodeContext& c, const model::Shape& x, const model::Attributes& window,
                       const std::vector<int64_t>& dilations) {
  const std::string mode = c.attributes.text("auto_pad", "NOTSET");
  const std::vector<int64_t> pads = c.attributes.integers("pads", {0, 0, 0, 0});
  if (mode == "NOTSET") {
    const auto fits = [](int64_t pad) { return pad >= 0 && pad <= kMaxWindow; };
    if (pads.size() != 4 || !std::ranges::all_of(pads, fits)) {
      return Error{"pads must be four numbers of 0 to " + std::to_string(kMaxWindow) +
                   " (top, left, bottom, right)"};
    }
    return Pads{pads[0], pads[1], pads[2], pads[3]};
  }
  if (c.attributes.has("pads")) return Error{"has both pads and auto_pad"};
  if (mode == "VALID") return Pads{};
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    return same_padding(x, window, dilations, mode == "SAME_UPPER");
  }
  return Error{"auto_pad " + quoted(mode) + " is not supported"};
}

Status read_pool(NodeContext& c, const Activation& x, model::Attributes& window) {
  CAIRN_CHECK(read_window(c, x, c.attributes.integers("kernel_shape", {}), window));
  if (c.attributes.integers("dilations", {1, 1}) != std::vector<int64_t>{1, 1}) {
    return Error{"dilations of a pool must be 1"};
  }
  window.ceil_mode = c.attributes.integer("ceil_mode", 0) != 0;
  return {};
}

}  // namespace

Status read_window(NodeContext& c, const Activation& x, std::vector<int64_t> kernel,
                   model::Attributes& window) {
  const model::Shape& shape = c.shape(x.value);
  if (shape.size() != 4) {
    return Error{"its input has " + std::to_string(shape.size()) +
                 " dimensions; expected 4 (batch, channels, height, width)"};
  }
  window.kernel = std::move(kernel);
  window.strides = c.attributes.integers("strides", {1, 1});
  const std::vector<int64_t> dilations = c.attributes.integers("dilations", {1, 1});
  CAIRN_CHECK(check_pairs(window.kernel, "kernel_shape"));
  CAIRN_CHECK(check_pairs(window.strides, "strides"));
  CAIRN_CHECK(check_pairs(dilations, "dilations"));
  model::Shape padded = shape;
  for (size_t d = 0; d < 2; ++d) padded[d + 2] += x.zeros[d] + x.zeros[d + 2];
  CAIRN_TRY(const Pads pads, read_pads(c, padded, window, dilations));
  for (size_t i = 0; i < 4; ++i) window.pads.push_back(pads[i] + x.zeros[i]);
  return {};
}

Status convert_max_pool(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.activation(0));
  model::Attributes window;
  CAIRN_CHECK(read_pool(c, {x}, window));
  c.attributes.ignore("storage_order");  // concerns the second output, the indices
  return c.add_output(Operator::max_pool, {x}, std::move(window));
}

namespace {

// How many windows begin in the image or the padding before it: ONNX drops others, which only ceil mode has.
Result<int64_t> windows(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t stride) {
  const int64_t rest = size + before + after - kernel;
  if (rest < 0) return Error{"its kernel is larger than the padded image"};
  const int64_t count = (rest + stride - 1) / stride + 1;
  return (count - 1) * stride >= size + before ? count - 1 : count;
}

// In ceil mode a window may hang over the padding; what lies beyond the padding does not count. So the
// padding is laid first, and windows that begin behind the image are cut off, unless the file itself has laid
// it first.
Status average_padded(NodeContext& c, const Activation& x, model::Attributes window) {
  const model::Shape shape = c.shape(x.value);
  model::Attributes zeros, range;
  std::swap(zeros.pads, window.pads);
  window.pads = {0, 0, 0, 0};
  window.count_padding = false;
  std::vector<std::pair<int64_t, int64_t>> cuts;  // axis and windows that stay
  for (size_t d = 0; d < 2; ++d) {
    const int64_t before = zeros.pads[d], after = zeros.pads[d + 2], kernel = window.kernel[d];
    CAIRN_TRY(const int64_t all, windows(shape[d + 2] + before + after, 0, 0, kernel, window.strides[d]));
    CAIRN_TRY(const int64_t kept, windows(shape[d + 2], before, after, kernel, window.strides[d]));
    if (kept < all && x.zeros == Pads{}) cuts.emplace_back(static_cast<int64_t>(d) + 2, kept);
  }
  const std::string name = cuts.empty() ? "" : "/pool";
  CAIRN_TRY(ValueId y, c.add(Operator::pad, {x.value}, std::move(zeros), name + "/pad"));
  CAIRN_TRY(y, c.add(Operator::average_pool, {y}, std::move(window), name));
  for (const auto& [axis, length] : cuts) {
    range.axis = axis;
    range.length = length;
    CAIRN_TRY(y, c.add(Operator::slice, {y}, range, "/windows"));
  }
  return c.output(Activation{y});
}

}  // namespace

// PyTorch writes avg_pool2d with counted padding as Pad and a pool without padding.
Status convert_average_pool(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const Activation x, c.padded_activation(0));
  model::Attributes window;
  CAIRN_CHECK(read_pool(c, x, window));
  const bool counted = c.attributes.integer("count_include_pad", 0) != 0;
  const bool padded = window.pads != std::vector<int64_t>{0, 0, 0, 0};
  const bool padded_before = x.zeros != Pads{};
  if (padded_before && !counted && !std::ranges::equal(window.pads, x.zeros)) {
    return Error{"has padding of its own that does not count after a Pad that does"};
  }
  window.count_padding = padded && (counted || padded_before);
  if (window.count_padding && window.ceil_mode) return average_padded(c, x, std::move(window));
  return c.add_output(Operator::average_pool, {x.value}, std::move(window));
}

Status convert_global_average_pool(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.activation(0));
  return c.add_output(Operator::global_average_pool, {x});
}

Status convert_global_max_pool(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.activation(0));
  const model::Shape& shape = c.shape(x);
  if (shape.size() != 4) return Error{"its input must have 4 dimensions"};
  model::Attributes window;
  window.kernel = {shape[2], shape[3]};
  window.strides = {1, 1};
  window.pads = {0, 0, 0, 0};
  return c.add_output(Operator::max_pool, {x}, std::move(window));
}

// x.mean((2, 3)) is a global average pool, flattened where the dimensions go.
Status convert_reduce_mean(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Activation value, c.moved_activation(0));
  if (value.batch != BatchPlace{}) return reduce_mean_of_rows(c);
  const ValueId x = value.value;
  std::vector<int64_t> axes = c.attributes.integers("axes", {});
  if (c.has_input(1)) {
    CAIRN_TRY(axes, c.known_integers(1));
  }
  const auto rank = static_cast<int64_t>(c.shape(x).size());
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::ranges::sort(axes);
  if (rank != 4 || axes != std::vector<int64_t>{2, 3}) return reduce_mean_of_rows(c);
  c.attributes.ignore("noop_with_empty_axes");
  if (c.attributes.integer("keepdims", 1) != 0) return c.add_output(Operator::global_average_pool, {x});
  CAIRN_TRY(const ValueId mean, c.add(Operator::global_average_pool, {x}, {}, "/mean"));
  return c.add_output(Operator::flatten, {mean});
}

Status convert_pad(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 3));
  CAIRN_TRY(Activation x, c.padded_activation(0));
  CAIRN_TRY(const std::vector<int64_t> pads, c.known_integers(1));
  if (c.attributes.text("mode", "constant") != "constant") return Error{"only constant padding is supported"};
  if (c.has_input(2)) {
    CAIRN_TRY(const float value, c.real(2));
    if (value != 0) return Error{"only padding with zeros is supported"};
  }
  const size_t rank = c.shape(x.value).size();
  if (pads.size() != 2 * rank)
    return Error{"needs two pads for each of " + std::to_string(rank) + " dimensions"};
  for (size_t d = 0; d < rank; ++d) {
    const int64_t before = pads[d], after = pads[d + rank];
    if (before == 0 && after == 0) continue;
    const bool fits = std::min(before, after) >= 0 && std::max(before, after) <= kMaxWindow;
    if (rank != 4 || d < 2 || !fits) return Error{"only height and width can be padded, by 0 to 65536"};
    x.zeros[d - 2] += before;
    x.zeros[d] += after;
  }
  return c.output(x);
}

}  // namespace cairn::onnx
