#include "weights/state_dict.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <set>

#include "onnx/import.h"

namespace cairn::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

constexpr std::string_view kMean = ".running_mean";
constexpr std::string_view kVariance = ".running_var";
constexpr std::string_view kCounter = ".num_batches_tracked";
constexpr std::array<uint8_t, 8> kNoBatches = {};

BytesView bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

Status check_values(const char* what, std::span<const float> values, size_t expected) {
  if (values.size() != expected) {
    return Error{std::string(what) + ": " + std::to_string(values.size()) + " numbers where the model has " +
                 std::to_string(expected)};
  }
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (bad == values.end()) return {};
  return Error{std::string(what) + ": number " + std::to_string(bad - values.begin()) + " is not finite"};
}

// Takes tensors from the front of vectors that hold one after another.
class Collector {
 public:
  void take(const std::string& name, const model::Shape& shape, std::span<const float>& values) {
    const auto count = static_cast<size_t>(model::elements(shape));
    add({name, Element::f32, shape, bytes_of(values.first(count))});
    values = values.subspan(count);
  }
  void add(Tensor tensor) {
    if (!names_.insert(tensor.name).second && twice_.empty()) twice_ = tensor.name;
    tensors_.push_back(std::move(tensor));
  }
  Result<std::vector<Tensor>> finish() {
    if (!twice_.empty()) return Error{"tensor '" + twice_ + "': two weights of the model have this name"};
    return std::move(tensors_);
  }

 private:
  std::vector<Tensor> tensors_;
  std::set<std::string> names_;
  std::string twice_;
};

// What X is in "X.running_mean" and "X.running_var", where both have that form.
std::string_view module_of(const model::Statistics& entry) {
  const std::string_view mean = entry.mean_name, variance = entry.variance_name;
  if (!mean.ends_with(kMean) || !variance.ends_with(kVariance)) return {};
  const std::string_view module = mean.substr(0, mean.size() - kMean.size());
  return module == variance.substr(0, variance.size() - kVariance.size()) ? module : std::string_view();
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

size_t element_size(Element element) {
  return element == Element::f32 ? 4 : 8;
}

Result<std::vector<Tensor>> state_dict(const model::Graph& graph, std::span<const float> parameters,
                                       std::span<const float> statistics) {
  CAIRN_CHECK(model::verify(graph));
  CAIRN_CHECK(check_values("parameters", parameters, model::parameter_count(graph)));
  CAIRN_CHECK(check_values("statistics", statistics, onnx::statistics_count(graph)));
  Collector collector;
  for (const model::Parameter& parameter : graph.parameters)
    collector.take(parameter.name, graph.shapes[parameter.value], parameters);
  for (const model::Statistics& entry : graph.statistics) {
    const model::Shape& shape = graph.shapes[graph.nodes[entry.node].inputs[1]];
    collector.take(entry.mean_name, shape, statistics);
    collector.take(entry.variance_name, shape, statistics);
    if (const std::string_view module = module_of(entry); !module.empty())
      collector.add({std::string(module).append(kCounter), Element::i64, {}, kNoBatches});
  }
  return collector.finish();
}

std::vector<std::string> made_up_names(const std::vector<Tensor>& tensors) {
  std::vector<std::string> names;
  for (const Tensor& tensor : tensors) {
    if (tensor.name.starts_with("onnx::") || is_number(tensor.name)) names.push_back(tensor.name);
  }
  return names;
}

}  // namespace cairn::weights
