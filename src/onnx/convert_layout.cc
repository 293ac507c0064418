// What joins, cuts and turns values, and Squeeze and Unsqueeze of values and weights.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

constexpr size_t kMostParts = 8;  // inputs of one Concat

std::string numbered(size_t i) {
  std::string suffix = "/";
  return suffix.append(std::to_string(i));
}

Attributes with_axis(int64_t axis) {
  Attributes attributes;
  attributes.axis = axis;
  return attributes;
}

Attributes with_range(int64_t axis, int64_t start, int64_t length) {
  Attributes attributes = with_axis(axis);
  attributes.start = start;
  attributes.length = length;
  return attributes;
}

std::vector<int64_t> range(const std::vector<int64_t>& values, int64_t first) {
  std::vector<int64_t> result(values.size());
  for (size_t i = 0; i < result.size(); ++i) result[i] = first + static_cast<int64_t>(i);
  return result;
}

// Sorted, from 0 on, each once.
Result<std::vector<int64_t>> checked_axes(std::vector<int64_t> axes, size_t rank) {
  for (int64_t& axis : axes) {
    CAIRN_TRY(axis, checked_axis(axis, rank));
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) return Error{"names an axis twice"};
  return axes;
}

// An attribute in older opsets, an input in newer ones.
Result<std::vector<int64_t>> read_axes(NodeContext& c) {
  if (c.has_input(1)) return c.known_integers(1);
  return c.attributes.integers("axes", {});
}

Result<model::Shape> without_axes(const model::Shape& shape, std::vector<int64_t> axes) {
  for (size_t d = 0; axes.empty() && d < shape.size(); ++d) {
    if (d > 0 && shape[d] == 1) axes.push_back(static_cast<int64_t>(d));
  }
  model::Shape result;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (!std::ranges::binary_search(axes, static_cast<int64_t>(d))) {
      result.push_back(shape[d]);
    } else if (shape[d] != 1) {
      return Error{"axis " + std::to_string(d) + " has the size " + std::to_string(shape[d]) +
                   "; expected 1"};
    }
  }
  return result;
}

// A number of 1 goes, at the axes or everywhere.
Result<std::vector<Size>> squeezed(const std::vector<Size>& dims, const std::vector<int64_t>& axes) {
  std::vector<Size> result;
  for (size_t d = 0; d < dims.size(); ++d) {
    const bool named = std::ranges::binary_search(axes, static_cast<int64_t>(d));
    if (named && dims[d].batches) return Error{"axis " + std::to_string(d) + " must stay the batch"};
    if (named && dims[d] != Size(1)) {
      return Error{"axis " + std::to_string(d) + " has the size " + std::to_string(dims[d].number) +
                   "; expected 1"};
    }
    if (!named && !(axes.empty() && dims[d] == Size(1))) result.push_back(dims[d]);
  }
  return result;
}

model::Shape with_axes(const model::Shape& shape, const std::vector<int64_t>& axes) {
  model::Shape result = shape;
  for (int64_t axis : axes) result.insert(result.begin() + axis, 1);
  return result;
}

// The same weight with other dimensions of 1.
Status change_axes(NodeContext& c, const Weight& weight, bool insert) {
  if (weight.transposed) return Error{"input " + quoted(c.node.input(0)) + " is a transposed weight"};
  const model::Shape shape = c.scope.builder.weight(weight.index).dims;
  CAIRN_TRY(std::vector<int64_t> axes, read_axes(c));
  CAIRN_TRY(axes, checked_axes(std::move(axes), shape.size() + (insert ? axes.size() : 0)));
  model::Shape changed = with_axes(shape, axes);
  if (!insert) {
    CAIRN_TRY(changed, without_axes(shape, axes));
  }
  CAIRN_CHECK(c.scope.builder.reshape_weight(weight.index, changed));
  return c.output(weight);
}

Status change_axes(NodeContext& c, bool insert) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Binding data, c.input(0));
  if (const Weight* weight = std::get_if<Weight>(&data)) return change_axes(c, *weight, insert);
  CAIRN_TRY(const Activation x, c.moved_value(0));
  std::vector<Size> dims = file_shape(c, x);
  CAIRN_TRY(std::vector<int64_t> axes, read_axes(c));
  CAIRN_TRY(axes, checked_axes(std::move(axes), dims.size() + (insert ? axes.size() : 0)));
  if (insert) {
    for (int64_t axis : axes) dims.insert(dims.begin() + axis, 1);
  } else {
    CAIRN_TRY(dims, squeezed(dims, axes));
  }
  CAIRN_TRY(const Activation result, regrouped(c, x, dims));
  return c.output(result);
}

// One range of one axis.
struct Cut {
  int64_t axis = 0;  // of the file's
  int64_t start = 0, length = 0, step = 1;
};

// The elements start, start + step, … of a dimension of `size`, which are `length`.
Result<Cut> read_cut(int64_t start, int64_t end, int64_t step, int64_t size) {
  if (step < 1) return Error{"its steps must be 1 or more"};
  const auto position = [&](int64_t value) {
    return std::clamp<int64_t>(value < 0 ? std::max(value, -size) + size : value, 0, size);
  };
  const int64_t from = position(start), to = position(end);
  if (to <= from) return Error{"leaves nothing"};
  return Cut{.start = from, .length = (to - from - 1) / step + 1, .step = step};
}

Result<std::vector<Cut>> read_cuts(NodeContext& c, const std::vector<Size>& shape) {
  CAIRN_TRY(const std::vector<int64_t> starts, c.known_integers(1));
  CAIRN_TRY(const Integers end_sizes, c.integers(2));
  std::vector<int64_t> axes = range(starts, 0), steps(starts.size(), 1);
  if (c.has_input(3)) {
    CAIRN_TRY(axes, c.known_integers(3));
  }
  if (c.has_input(4)) {
    CAIRN_TRY(steps, c.known_integers(4));
  }
  const std::vector<Size>& ends = end_sizes.values;
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return Error{"its starts, ends, axes and steps must be as many as each other"};
  }
  std::vector<Cut> cuts;
  for (size_t i = 0; i < starts.size(); ++i) {
    CAIRN_TRY(const int64_t axis, checked_axis(axes[i], shape.size()));
    const Size size = shape[static_cast<size_t>(axis)];
    if (size.batches) {
      const bool whole = ends[i] == size || (!ends[i].batches && ends[i].number >= INT32_MAX);
      if (starts[i] != 0 || !whole || steps[i] != 1)
        return Error{"axis " + std::to_string(axis) + " must stay the whole batch"};
      continue;
    }
    if (ends[i].batches) return Error{"its ends depend on the batch size"};
    auto cut = read_cut(starts[i], ends[i].number, steps[i], size.number);
    if (!cut) return cut.error().within("axis " + std::to_string(axis));
    cut->axis = axis;
    if (cut->length < size.number) cuts.push_back(*cut);
  }
  return cuts;
}

// The first element of each of `count` blocks of `step`, which begin at `start`.
Result<ValueId> first_of_blocks(NodeContext& c, ValueId x, size_t axis, int64_t start, int64_t count,
                                int64_t step, const std::string& suffix) {
  const auto canonical = static_cast<int64_t>(axis);
  if (start != 0 || count * step != c.shape(x)[axis]) {
    CAIRN_TRY(x, c.add(Operator::slice, {x}, with_range(canonical, start, count * step), suffix + "/blocks"));
  }
  Attributes split, joined;
  split.shape = joined.shape = c.shape(x);
  split.shape[axis] = step;
  split.shape.insert(split.shape.begin() + canonical, count);
  joined.shape[axis] = count;
  split.shape[0] = joined.shape[0] = 0;
  CAIRN_TRY(x, c.add(Operator::reshape, {x}, std::move(split), suffix + "/split"));
  CAIRN_TRY(x, c.add(Operator::slice, {x}, with_range(canonical + 1, 0, 1), suffix + "/step"));
  return c.add(Operator::reshape, {x}, std::move(joined), suffix);
}

// Every step-th element. Where the last block would reach beyond the axis, its first element joins by itself.
Result<ValueId> every_step(NodeContext& c, ValueId x, size_t axis, const Cut& cut,
                           const std::string& suffix) {
  const auto& [file_axis, start, length, step] = cut;
  const auto canonical = static_cast<int64_t>(axis);
  if (length == 1) return c.add(Operator::slice, {x}, with_range(canonical, start, 1), suffix);
  if (start + length * step <= c.shape(x)[axis])
    return first_of_blocks(c, x, axis, start, length, step, suffix);
  CAIRN_TRY(const ValueId most, first_of_blocks(c, x, axis, start, length - 1, step, suffix + "/most"));
  const Attributes last = with_range(canonical, start + (length - 1) * step, 1);
  CAIRN_TRY(const ValueId end, c.add(Operator::slice, {x}, last, suffix + "/last"));
  return c.add(Operator::concat, {most, end}, with_axis(canonical), suffix);
}

Result<std::vector<int64_t>> read_split(NodeContext& c, int64_t size) {
  std::vector<int64_t> lengths = c.attributes.integers("split", {});
  if (c.has_input(1)) {
    CAIRN_TRY(lengths, c.known_integers(1));
  }
  const auto outputs = static_cast<int64_t>(c.node.output_size());
  if (c.attributes.integer("num_outputs", outputs) != outputs)
    return Error{"num_outputs differs from its outputs"};
  if (lengths.empty()) {
    const int64_t each = (size + outputs - 1) / std::max<int64_t>(outputs, 1);
    for (int64_t i = 0; i < outputs; ++i) lengths.push_back(std::min(each, size - i * each));
  }
  int64_t total = 0;
  for (int64_t length : lengths) {
    if (length < 1 || length > size - total) return Error{"its parts do not fit the axis"};
    total += length;
  }
  if (total != size || lengths.size() != static_cast<size_t>(outputs)) {
    return Error{"its parts do not make up the axis of " + std::to_string(size)};
  }
  return lengths;
}

}  // namespace

Result<int64_t> checked_axis(int64_t axis, size_t rank) {
  const auto dimensions = static_cast<int64_t>(rank);
  if (axis >= -dimensions && axis < dimensions) return axis < 0 ? axis + dimensions : axis;
  return Error{"axis " + std::to_string(axis) + " is out of range for " + std::to_string(rank) +
               " dimensions"};
}

namespace {

Result<ValueId> concat(NodeContext& c, std::vector<ValueId> parts, size_t axis, const std::string& suffix) {
  const Attributes attributes = with_axis(static_cast<int64_t>(axis));
  while (parts.size() > kMostParts) {
    std::vector<ValueId> first(parts.begin(), parts.begin() + kMostParts);
    CAIRN_TRY(parts[kMostParts - 1], c.add(Operator::concat, std::move(first), attributes, "/part"));
    parts.erase(parts.begin(), parts.begin() + kMostParts - 1);
  }
  return c.add(Operator::concat, std::move(parts), attributes, suffix);
}

}  // namespace

Status concat_activations(NodeContext& c) {
  std::vector<Activation> parts;
  for (int i = 0; i < c.node.input_size(); ++i) {
    CAIRN_TRY(const Activation part, c.moved_activation(i));
    parts.push_back(part);
  }
  CAIRN_TRY(const Frame frame, common_frame(c, parts));
  std::vector<ValueId> values;
  for (size_t i = 0; i < parts.size(); ++i) {
    CAIRN_TRY(const ValueId value, aligned(c, parts[i], frame, numbered(i)));
    values.push_back(value);
  }
  const Activation first{.value = values[0], .batch = frame.batch};
  CAIRN_TRY(const size_t axis, canonical_axis(c, first, c.attributes.integer("axis", 0)));
  CAIRN_TRY(const ValueId joined, concat(c, std::move(values), axis, ""));
  return c.output(Activation{.value = joined, .batch = frame.batch});
}

Status convert_split(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 2));
  CAIRN_TRY(const Activation x, c.moved_value(0));
  CAIRN_TRY(const size_t axis, canonical_axis(c, x, c.attributes.integer("axis", 0)));
  CAIRN_TRY(const std::vector<int64_t> lengths, read_split(c, c.shape(x.value)[axis]));
  int64_t start = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    Activation part = x;
    const Attributes range = with_range(static_cast<int64_t>(axis), start, lengths[i]);
    CAIRN_TRY(part.value, c.add(Operator::slice, {x.value}, range, numbered(i)));
    CAIRN_CHECK(define(c.scope, c.node.output(static_cast<int>(i)), part));
    start += lengths[i];
  }
  return {};
}

Status slice_activation(NodeContext& c) {
  CAIRN_TRY(Activation x, c.moved_value(0));
  CAIRN_TRY(const std::vector<Cut> cuts, read_cuts(c, file_shape(c, x)));
  for (size_t i = 0; i < cuts.size(); ++i) {
    CAIRN_TRY(const size_t axis, canonical_axis(c, x, cuts[i].axis));
    const std::string suffix = i + 1 == cuts.size() ? std::string() : numbered(i);
    if (cuts[i].step == 1) {
      const Attributes range = with_range(static_cast<int64_t>(axis), cuts[i].start, cuts[i].length);
      CAIRN_TRY(x.value, c.add(Operator::slice, {x.value}, range, suffix));
    } else {
      CAIRN_TRY(x.value, every_step(c, x.value, axis, cuts[i], suffix));
    }
  }
  return c.output(x);
}

Status slice_weight(NodeContext& c) {
  CAIRN_TRY(const Weight weight, c.weight(0));
  const model::Shape& dims = c.scope.builder.weight(weight.index).dims;
  CAIRN_TRY(const std::vector<Cut> cuts, read_cuts(c, {dims.begin(), dims.end()}));
  if (cuts.empty()) return c.output(weight);
  if (is_mask(c, 0)) return fold_tensors(c);
  return slice_activation(c);
}

namespace {

// Indices from 0 on, each in range.
Result<std::vector<int64_t>> read_indices(const NodeContext& c, int64_t size) {
  const auto tensor = constant_tensor(c, 1);
  if (!tensor || !tensor->integer)
    return Error{"input " + quoted(c.node.input(1)) + " must be a constant index or several of them"};
  std::vector<int64_t> indices = tensor->integers;
  for (int64_t& index : indices) {
    if (index < -size || index >= size) return Error{"its index is out of range"};
    index += index < 0 ? size : 0;
  }
  if (indices.empty()) return Error{"takes no index"};
  return indices;
}

bool are_neighbours(const std::vector<int64_t>& indices) {
  for (size_t i = 1; i < indices.size(); ++i) {
    if (indices[i] != indices[0] + static_cast<int64_t>(i)) return false;
  }
  return true;
}

// Neighbours are a slice; others are joined of slices.
Result<ValueId> take(NodeContext& c, ValueId x, size_t axis, const std::vector<int64_t>& indices,
                     const std::string& suffix) {
  constexpr size_t kMostIndices = 64;
  const auto canonical = static_cast<int64_t>(axis);
  const auto count = static_cast<int64_t>(indices.size());
  if (are_neighbours(indices))
    return c.add(Operator::slice, {x}, with_range(canonical, indices[0], count), suffix);
  if (indices.size() > kMostIndices)
    return Error{"takes " + std::to_string(count) + " indices that are no neighbours; expected at most 64"};
  std::vector<ValueId> parts;
  for (size_t i = 0; i < indices.size(); ++i) {
    CAIRN_TRY(const ValueId part,
              c.add(Operator::slice, {x}, with_range(canonical, indices[i], 1), numbered(i)));
    parts.push_back(part);
  }
  return concat(c, std::move(parts), axis, suffix);
}

}  // namespace

// The dimensions of the indices take the place of the axis: none, where there is one index alone.
Status gather_activation(NodeContext& c) {
  CAIRN_TRY(Activation x, c.moved_value(0));
  CAIRN_TRY(const int64_t file_axis, checked_axis(c.attributes.integer("axis", 0), file_rank(c, x)));
  CAIRN_TRY(const size_t axis, canonical_axis(c, x, file_axis));
  CAIRN_TRY(const std::vector<int64_t> indices, read_indices(c, c.shape(x.value)[axis]));
  const model::Shape shape = constant_tensor(c, 1)->dims;
  CAIRN_TRY(x.value, take(c, x.value, axis, indices, shape.size() == 1 ? "" : "/slice"));
  if (shape.size() == 1) return c.output(x);
  std::vector<Size> dims = file_shape(c, x);
  dims.erase(dims.begin() + file_axis);
  dims.insert(dims.begin() + file_axis, shape.begin(), shape.end());
  CAIRN_TRY(const Activation result, regrouped(c, x, dims));
  return c.output(result);
}

namespace {

// The file's order, from 0 on: by default the dimensions backwards.
Result<std::vector<int64_t>> read_order(NodeContext& c, size_t rank) {
  std::vector<int64_t> backwards(rank);
  for (size_t d = 0; d < rank; ++d) backwards[d] = static_cast<int64_t>(rank - 1 - d);
  const std::vector<int64_t> order = c.attributes.integers("perm", backwards);
  std::vector<int64_t> sorted = order;
  std::ranges::sort(sorted);
  std::ranges::reverse(backwards);
  if (sorted != backwards)
    return Error{"perm must name each of " + std::to_string(rank) + " dimensions once"};
  return order;
}

}  // namespace

// The batch only changes its place; what is merged into its dimension goes with it.
Status transpose_activation(NodeContext& c) {
  CAIRN_TRY(Activation x, c.moved_value(0));
  CAIRN_TRY(const std::vector<int64_t> order, read_order(c, file_rank(c, x)));
  Attributes attributes;
  attributes.permutation = {0};
  BatchPlace place = x.batch;
  for (size_t d = 0; d < order.size(); ++d) {
    if (!is_batch_axis(x, order[d])) {
      CAIRN_TRY(const size_t axis, canonical_axis(c, x, order[d]));
      attributes.permutation.push_back(static_cast<int64_t>(axis));
      continue;
    }
    place.axis = d;
    auto next = static_cast<int64_t>(x.batch.axis) + 1;  // of what is merged into it
    if (place.outer > 1) attributes.permutation.push_back(next++);
    if (place.inner > 1) attributes.permutation.push_back(next);
  }
  const bool stays = place == x.batch && place == BatchPlace{};
  if (stays || !std::ranges::is_sorted(attributes.permutation)) {
    CAIRN_TRY(x.value, c.add(Operator::transpose, {x.value}, std::move(attributes)));
  }
  x.batch = place;
  return c.output(x);
}

Status squeeze_axes(NodeContext& c) {
  return change_axes(c, false);
}

Status unsqueeze_axes(NodeContext& c) {
  return change_axes(c, true);
}

}  // namespace cairn::onnx
