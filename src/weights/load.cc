#include "weights/load.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "onnx/sandbox.h"
#include "weights/safetensors.h"

namespace cairn::weights {
namespace {

constexpr uint64_t kMaxWeightsFile = uint64_t{4} << 30;
constexpr size_t kNamesInMessage = 5;

struct Given {
  model::Shape shape;
  std::vector<float> numbers;
};

// What a file holds, of the tensors whose names `wanted` holds, and the names of the others.
struct Contents {
  std::map<std::string, Given> tensors;
  std::vector<std::string> others;
};

Result<Contents> read_tensors(BytesView file, const std::set<std::string>& wanted) {
  Contents contents;
  CAIRN_TRY(const std::vector<StoredTensor> stored, read_safetensors(file));
  for (const StoredTensor& tensor : stored) {
    if (!wanted.contains(tensor.name)) {
      contents.others.push_back(tensor.name);
      continue;
    }
    CAIRN_TRY(std::vector<float> numbers, numbers_of(tensor));
    contents.tensors[tensor.name] = {tensor.shape, std::move(numbers)};
  }
  return contents;
}

Result<Contents> read_onnx(const std::filesystem::path& file, const std::set<std::string>& wanted) {
  CAIRN_TRY(const onnx::ImportedModel model, onnx::import_onnx_file(file));
  Contents contents;
  std::span<const float> rest = model.parameters;
  for (const model::Parameter& parameter : model.graph.parameters) {
    const model::Shape& shape = model.graph.shapes[parameter.value];
    const auto numbers = rest.first(static_cast<size_t>(model::elements(shape)));
    rest = rest.subspan(numbers.size());
    if (wanted.contains(parameter.name)) {
      contents.tensors[parameter.name] = {shape, {numbers.begin(), numbers.end()}};
    } else {
      contents.others.push_back(parameter.name);
    }
  }
  return contents;
}

// A safetensors header begins with a brace behind its length.
Result<Contents> read_contents(const std::filesystem::path& file, const std::set<std::string>& wanted) {
  CAIRN_TRY(const SharedBytes bytes, map_file(file, kMaxWeightsFile));
  const BytesView view = bytes;
  if (view.size() >= 2 && view[0] == 'P' && view[1] == 'K') {
    return Error{
        "is a zip archive, as torch.save writes it, whose pickle is a program; write the weights with "
        "safetensors.torch.save_file(model.state_dict(), FILE) instead"};
  }
  if (view.size() > 8 && view[8] == '{') return read_tensors(view, wanted);
  return read_onnx(file, wanted);
}

model::Shape without_ones(const model::Shape& shape) {
  model::Shape result;
  std::ranges::copy_if(shape, std::back_inserter(result), [](int64_t size) { return size != 1; });
  return result;
}

std::string text_of(const model::Shape& shape) {
  std::string text = "[";
  for (size_t d = 0; d < shape.size(); ++d) text.append(d == 0 ? "" : ", ").append(std::to_string(shape[d]));
  return text + "]";
}

// "a, b and 3 more"
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesInMessage); ++i)
    text.append(i == 0 ? "" : ", ").append(names[i]);
  if (names.size() <= kNamesInMessage) return text;
  return text + " and " + std::to_string(names.size() - kNamesInMessage) + " more";
}

// Batch normalization's bookkeeping.
bool is_bookkeeping(const model::Graph& graph, const std::string& name) {
  if (name.ends_with(".num_batches_tracked") || name == "num_batches_tracked") return true;
  return std::ranges::any_of(graph.statistics, [&](const model::Statistics& entry) {
    return entry.mean_name == name || entry.variance_name == name;
  });
}

struct Differences {
  std::vector<std::string> missing, misshapen;

  Status refuse(const std::vector<std::string>& surplus) const {
    std::string text;
    const auto add = [&text](const char* what, const std::vector<std::string>& names) {
      if (!names.empty()) text.append(text.empty() ? "" : "; ").append(what).append(listed(names));
    };
    add("lacks ", missing);
    add("has another shape of ", misshapen);
    add("has what the model does not: ", surplus);
    return text.empty() ? Status() : Status(Error{text});
  }
};

Result<LoadedWeights> fitted(const model::Graph& graph, std::span<const float> start,
                             const Contents& contents, Fit fit) {
  LoadedWeights result{.parameters = {start.begin(), start.end()}, .kept = {}, .surplus = {}};
  Differences differences;
  size_t begin = 0;
  for (const model::Parameter& parameter : graph.parameters) {
    const model::Shape& shape = graph.shapes[parameter.value];
    const auto found = contents.tensors.find(parameter.name);
    if (found == contents.tensors.end()) {
      differences.missing.push_back(parameter.name);
      result.kept.push_back(parameter.name);
    } else if (without_ones(found->second.shape) != without_ones(shape)) {
      differences.misshapen.push_back(parameter.name + " (" + text_of(found->second.shape) +
                                      " where the model has " + text_of(shape) + ")");
      result.kept.push_back(parameter.name);
    } else {
      std::ranges::copy(found->second.numbers,
                        result.parameters.begin() + static_cast<std::ptrdiff_t>(begin));
    }
    begin += static_cast<size_t>(model::elements(shape));
  }
  for (const std::string& name : contents.others) {
    if (!is_bookkeeping(graph, name)) result.surplus.push_back(name);
  }
  const bool nothing = result.kept.size() == graph.parameters.size();
  if (fit == Fit::whole || nothing) CAIRN_CHECK(differences.refuse(result.surplus));
  return result;
}

}  // namespace

Result<LoadedWeights> load_weights(const model::Graph& graph, std::span<const float> start,
                                   const std::filesystem::path& file, Fit fit) {
  CAIRN_CHECK(model::verify(graph));
  CAIRN_ASSERT(start.size() == model::parameter_count(graph));
  std::set<std::string> wanted;
  for (const model::Parameter& parameter : graph.parameters) wanted.insert(parameter.name);
  const auto contents = read_contents(file, wanted);
  if (!contents) {
    // Errors of files name them already.
    const bool placed = contents.error().message.starts_with(file.string());
    return placed ? contents.error() : contents.error().within(file.string());
  }
  auto result = fitted(graph, start, *contents, fit);
  if (!result) return result.error().within(file.string());
  return result;
}

}  // namespace cairn::weights
