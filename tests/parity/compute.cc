// parity-compute FOLDER NAME: imports FOLDER/NAME.onnx, computes the gradient of the batch in
// FOLDER/NAME.batch.npz (input, labels) and writes FOLDER/NAME.npz as `cairn gradient --dump --all` does,
// with the logits besides.
#include <cstdio>
#include <map>

#include "base/file.h"
#include "base/float_environment.h"
#include "base/npz.h"
#include "model/network.h"
#include "onnx/import.h"

namespace cairn {
namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 33;

Result<std::map<std::string, NpzArray>> read_arrays(const Bytes& file) {
  CAIRN_TRY(auto arrays, read_npz(file));
  std::map<std::string, NpzArray> result;
  for (NpzArray& array : arrays) result.emplace(array.name, array);
  return result;
}

Status dump(const model::Graph& graph, model::Network& network, std::span<const float> parameters,
            const std::map<std::string, NpzArray>& batch, const std::string& path) {
  CAIRN_TRY(const auto input, batch.at("input").values<float>());
  CAIRN_TRY(const auto labels, batch.at("labels").values<int32_t>());
  std::vector<float> gradient(network.parameter_count());
  CAIRN_TRY(const float loss, network.gradient(parameters, input, labels, {.seed = 1}, gradient));
  NpzWriter writer;
  model::Shape input_shape = graph.shapes[graph.input];
  input_shape[0] = network.batch();
  writer.add<float>("input", input_shape, input);
  writer.add<int32_t>("labels", std::vector<int64_t>{static_cast<int64_t>(labels.size())}, labels);
  writer.add<float>("loss", std::vector<int64_t>{1}, std::span(&loss, 1));
  for (const auto& info : network.parameters())
    writer.add<float>("gradient/" + info.name, info.shape,
                      std::span(gradient).subspan(info.offset, info.count));
  CAIRN_CHECK(
      network.visit([&](const std::string& node, const model::Shape& shape, std::span<const float> values) {
        writer.add("tensor/" + node, shape, values);
        if (node == graph.nodes.back().name) writer.add("logits", shape, values);
      }));
  CAIRN_TRY(const std::vector<float> statistics, network.batch_statistics(parameters, input));
  CAIRN_TRY(const std::vector<float> evaluated, network.logits(parameters, statistics, input));
  writer.add<float>("evaluated", std::vector<int64_t>{static_cast<int64_t>(evaluated.size())}, evaluated);
  size_t at = 0;
  for (const model::Statistics& entry : graph.statistics) {
    const model::Shape& shape = graph.shapes[graph.nodes[entry.node].inputs[1]];
    for (const std::string& kind : {entry.mean_name, entry.variance_name}) {
      writer.add<float>("statistics/" + kind, shape,
                        std::span(statistics).subspan(at, model::elements(shape)));
      at += static_cast<size_t>(model::elements(shape));
    }
  }
  CAIRN_TRY(const Bytes bytes, writer.finish());
  return write_file(path, bytes);
}

Status run(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name;
  CAIRN_TRY(const Bytes model, read_file(path + ".onnx", kMostBytes));
  CAIRN_TRY(const onnx::ImportedModel imported, onnx::import_onnx(model, name));
  CAIRN_TRY(const Bytes file, read_file(path + ".batch.npz", kMostBytes));
  CAIRN_TRY(const auto batch, read_arrays(file));
  const int64_t count = batch.at("input").shape[0];
  ThreadPool pool(1);
  const auto backend = exact::make_backend(exact::supported_isas().back(), pool);
  const model::NetworkOptions options{
      .batch = count, .keep_tensors = true, .memory_limit = uint64_t{32} << 30};
  CAIRN_TRY(model::Network network, model::Network::compile(imported.graph, options, *backend));
  return dump(imported.graph, network, imported.parameters, batch, path + ".npz");
}

}  // namespace
}  // namespace cairn

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "parity-compute FOLDER NAME\n");
    return 2;
  }
  cairn::set_float_environment();
  const cairn::Status status = cairn::run(arguments[1], arguments[2]);
  if (!status) std::fprintf(stderr, "parity-compute: %s\n", status.error().message.c_str());
  return status ? 0 : 1;
}
