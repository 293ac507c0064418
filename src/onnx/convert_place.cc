// Values whose batch the file keeps elsewhere than first. The canonical value has the batch first and the
// other dimensions in the file's order, so a file's transpose that moves the batch alone costs nothing, and
// one that merges it with a neighbour (heads times samples) becomes an ordinary dimension behind the batch.
#include <algorithm>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

// Canonical dimensions that the file has merged into the batch's.
size_t merged(const BatchPlace& batch) {
  return static_cast<size_t>(batch.outer > 1) + static_cast<size_t>(batch.inner > 1);
}

std::string text_of(const Size& size) {
  if (!size.batches) return std::to_string(size.number);
  return size.number == 1 ? "batch" : std::to_string(size.number) + "*batch";
}

std::string text_of(const std::vector<Size>& dims) {
  std::string text = "[";
  for (const Size& size : dims) text.append(text.size() > 1 ? ", " : "").append(text_of(size));
  return text + "]";
}

// The canonical shape of the file's dimensions `dims`, the batch being at `place`.
model::Shape canonical_shape(const std::vector<Size>& dims, const BatchPlace& place) {
  model::Shape shape = {1};
  for (size_t d = 0; d < dims.size(); ++d) {
    if (place.absent || d != place.axis) {
      shape.push_back(dims[d].number);
      continue;
    }
    if (place.outer > 1) shape.push_back(place.outer);
    if (place.inner > 1) shape.push_back(place.inner);
  }
  return shape;
}

int64_t product(const std::vector<Size>& dims, size_t begin, size_t end) {
  int64_t result = 1;
  for (size_t d = begin; d < end; ++d) result *= dims[d].number;
  return result;
}

Error does_not_fit(const NodeContext& c, const Activation& x, const std::vector<Size>& dims) {
  return Error{"its target " + text_of(dims) + " does not keep the batch of " + text_of(file_shape(c, x)) +
               " apart from the other dimensions"};
}

// Where the batch is among dims: at the one dimension that counts batches. Its neighbours in it follow from
// how many elements of a sample lie behind the batch.
Result<BatchPlace> place_among(const NodeContext& c, const Activation& x, const std::vector<Size>& dims) {
  const auto counts = std::ranges::count_if(dims, [](const Size& size) { return size.batches; });
  if (x.batch.absent && counts == 0) return BatchPlace{.absent = true};
  if (x.batch.absent || counts != 1) return does_not_fit(c, x, dims);
  const std::vector<Size> from = file_shape(c, x);
  BatchPlace place;
  while (!dims[place.axis].batches) ++place.axis;
  const int64_t behind = x.batch.inner * product(from, x.batch.axis + 1, from.size());
  const int64_t before = product(from, 0, x.batch.axis) * x.batch.outer;
  const int64_t behind_now = product(dims, place.axis + 1, dims.size());
  const int64_t before_now = product(dims, 0, place.axis);
  if (behind % behind_now != 0 || before % before_now != 0) return does_not_fit(c, x, dims);
  place.inner = behind / behind_now;
  place.outer = before / before_now;
  if (place.inner * place.outer != dims[place.axis].number) return does_not_fit(c, x, dims);
  return place;
}

bool is_plain(const BatchPlace& place) {
  return place == BatchPlace{};
}

}  // namespace

size_t file_rank(const NodeContext& c, const Activation& x) {
  return c.shape(x.value).size() - (x.batch.absent ? 1 : merged(x.batch));
}

std::vector<Size> file_shape(const NodeContext& c, const Activation& x) {
  const model::Shape& shape = c.shape(x.value);
  std::vector<Size> dims;
  size_t next = 1;  // canonical dimension
  for (size_t d = 0; d < file_rank(c, x); ++d) {
    if (x.batch.absent || d != x.batch.axis) {
      dims.emplace_back(shape[next++]);
    } else {
      dims.emplace_back(x.batch.outer * x.batch.inner, true);
      next += merged(x.batch);
    }
  }
  return dims;
}

bool is_batch_axis(const Activation& x, int64_t file_axis) {
  return !x.batch.absent && static_cast<size_t>(file_axis) == x.batch.axis;
}

Result<size_t> canonical_axis(const NodeContext& c, const Activation& x, int64_t file_axis) {
  CAIRN_TRY(const int64_t axis, checked_axis(file_axis, file_rank(c, x)));
  if (is_batch_axis(x, axis)) return Error{"axis " + std::to_string(axis) + " must stay the batch"};
  const auto d = static_cast<size_t>(axis);
  if (x.batch.absent || d < x.batch.axis) return d + 1;
  return d + merged(x.batch);
}

Result<Activation> regrouped(NodeContext& c, const Activation& x, const std::vector<Size>& dims,
                             const std::string& suffix) {
  for (const Size& size : dims) {
    if (size.number < 1)
      return Error{"its target has a size that is not allowed: " + std::to_string(size.number)};
  }
  Activation result = x;
  CAIRN_TRY(result.batch, place_among(c, x, dims));
  const model::Shape shape = canonical_shape(dims, result.batch);
  if (model::checked_elements(shape) != model::elements(c.shape(x.value))) {
    return Error{"its target does not hold the " + std::to_string(model::elements(c.shape(x.value))) +
                 " values of a sample"};
  }
  const bool moves = shape != c.shape(x.value) || (is_plain(x.batch) && is_plain(result.batch));
  if (!moves) return result;
  Attributes target;
  target.shape = shape;
  target.shape[0] = 0;
  CAIRN_TRY(result.value, c.add(Operator::reshape, {x.value}, std::move(target), suffix));
  return result;
}

Result<Frame> common_frame(const NodeContext& c, const std::vector<Activation>& values) {
  Frame frame{{.absent = true}, 0};
  for (const Activation& x : values) {
    const size_t rank = file_rank(c, x);
    if (x.batch.absent) continue;
    if (frame.batch.absent) {
      frame = {x.batch, rank};
    } else if (x.batch != frame.batch || rank != frame.rank) {
      return Error{"its operands have their batches at different places: " +
                   text_of(file_shape(c, values.front())) + " and " + text_of(file_shape(c, x))};
    }
  }
  for (const Activation& x : values) {
    const size_t rank = file_rank(c, x);
    if (frame.batch.absent) frame.rank = std::max(frame.rank, rank);
    if (rank > frame.rank)
      return Error{"its operand without a batch has " + std::to_string(rank) + " dimensions, the other " +
                   std::to_string(frame.rank)};
  }
  return frame;
}

Result<ValueId> aligned(NodeContext& c, const Activation& x, const Frame& frame, const std::string& suffix) {
  if (!x.batch.absent) return x.value;
  const model::Shape& shape = c.shape(x.value);
  std::vector<Size> dims(frame.rank - (shape.size() - 1), 1);
  dims.insert(dims.end(), shape.begin() + 1, shape.end());
  if (!frame.batch.absent) {
    if (dims[frame.batch.axis] != Size(1))
      return Error{"its operand without a batch has the size " + text_of(dims[frame.batch.axis]) +
                   " where the other has the batch"};
    model::Shape target = {0};
    for (size_t d = 0; d < dims.size(); ++d) {
      if (d == frame.batch.axis) {
        target.insert(target.end(), merged(frame.batch), 1);
      } else {
        target.push_back(dims[d].number);
      }
    }
    if (std::ranges::equal(target.begin() + 1, target.end(), shape.begin() + 1, shape.end())) return x.value;
    Attributes attributes;
    attributes.shape = std::move(target);
    return c.add(Operator::reshape, {x.value}, std::move(attributes), suffix);
  }
  CAIRN_TRY(const Activation result, regrouped(c, x, dims, suffix));
  return result.value;
}

}  // namespace cairn::onnx
