// Cairn against PyTorch: models that PyTorch exported, imported and computed here, compared with float64.
//
// ReLU and max-pool masks flip under any forward error, so gradients of models with kinks cannot be compared
// end to end. Logits can (at most 1e-2), so can the gradients of smooth models (5e-3). For the others,
// tests/golden/check_backward.py compares every operator and the backward pass from Cairn's own forward
// tensors.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/npz.h"
#include "model/network.h"
#include "onnx/import.h"
#include "onnx/python.h"

namespace cairn::onnx {
namespace {

constexpr const char* kModels[] = {"mlp",          "lenet",        "resnet8",  "linear",
                                   "average_pool", "convolutions", "mobile",   "branches",
                                   "transformer",  "functions",    "language", "permuted"};
constexpr double kLogitsLimit = 1e-2;
constexpr double kSmoothLimit = 5e-3;
constexpr double kSmallGradient = 1e-3;  // of the whole gradient: some true gradients are zero

using Arrays = std::map<std::string, NpzArray>;

Arrays read_arrays(const Bytes& file) {
  Arrays result;
  auto arrays = read_npz(file).value();
  for (NpzArray& array : arrays) result.emplace(array.name, array);
  return result;
}

double norm(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

double distance(std::span<const float> found, std::span<const double> expected) {
  std::vector<double> difference(expected.begin(), expected.end());
  for (size_t i = 0; i < difference.size(); ++i) difference[i] -= double{found[i]};
  return norm(difference);
}

struct Computed {
  model::Graph graph;
  std::vector<model::ParameterInfo> parameters;
  std::vector<float> input, values, gradient, logits;
  std::vector<int32_t> labels;
  float loss = 0;
  std::map<std::string, std::pair<model::Shape, std::vector<float>>> tensors;
};

int64_t batch_of(const model::Graph& graph, const std::vector<int32_t>& labels) {
  return static_cast<int64_t>(labels.size()) / model::rows_per_sample(graph);
}

// Imports FOLDER/NAME.onnx and computes the gradient of the batch in its .npz.
Computed compute(const std::string& folder, const std::string& name) {
  const auto imported = import_onnx(read_file(folder + name + ".onnx", 1 << 24).value(), name).value();
  const Bytes file = read_file(folder + name + ".npz", 1 << 26).value();
  const Arrays arrays = read_arrays(file);
  Computed c;
  c.graph = imported.graph;
  c.values = imported.parameters;
  c.input = arrays.at("input").values<float>().value();
  c.labels = arrays.at("labels").values<int32_t>().value();

  ThreadPool pool(1);
  const auto backend = exact::make_backend(exact::supported_isas().back(), pool);
  model::NetworkOptions options;
  options.batch = batch_of(c.graph, c.labels);
  options.keep_tensors = true;
  auto network = model::Network::compile(c.graph, options, *backend).value();
  c.parameters = network.parameters();
  c.gradient.resize(network.parameter_count());
  c.loss = network.gradient(c.values, c.input, c.labels, {.seed = 1}, c.gradient).value();
  const Status visited =
      network.visit([&](const std::string& node, const model::Shape& shape, std::span<const float> values) {
        c.tensors[node] = {shape, {values.begin(), values.end()}};
      });
  EXPECT_TRUE(visited.ok());
  c.logits = c.tensors.at(c.graph.nodes.back().name).second;
  return c;
}

// In the form of `cairn gradient --dump --all`.
Bytes dump(const Computed& c) {
  NpzWriter writer;
  const int64_t batch = batch_of(c.graph, c.labels);
  model::Shape input = c.graph.shapes[c.graph.input];
  input[0] = batch;
  writer.add<float>("input", input, c.input);
  writer.add<int32_t>("labels", std::vector<int64_t>{static_cast<int64_t>(c.labels.size())}, c.labels);
  for (const auto& info : c.parameters) {
    writer.add("gradient/" + info.name, info.shape, std::span(c.gradient).subspan(info.offset, info.count));
  }
  for (const auto& [node, tensor] : c.tensors)
    writer.add<float>("tensor/" + node, tensor.first, tensor.second);
  return writer.finish().value();
}

void expect_close(const std::string& folder, const std::string& name) {
  const Computed c = compute(folder, name);
  const Bytes file = read_file(folder + name + ".npz", 1 << 26).value();
  const Arrays arrays = read_arrays(file);
  const auto logits = arrays.at("logits").values<double>().value();
  ASSERT_EQ(c.logits.size(), logits.size());
  EXPECT_LE(distance(c.logits, logits), kLogitsLimit * norm(logits)) << name;
  EXPECT_NEAR(c.loss, arrays.at("loss").values<double>().value()[0], kLogitsLimit) << name;
  if (arrays.at("smooth").values<uint8_t>().value()[0] == 0) return;

  double everything = 0;
  std::map<std::string, std::vector<double>> expected;
  for (const auto& info : c.parameters) {
    expected[info.name] = arrays.at("gradient/" + info.name).values<double>().value();
    everything = std::hypot(everything, norm(expected[info.name]));
  }
  for (const auto& info : c.parameters) {
    const std::vector<double>& reference = expected[info.name];
    ASSERT_EQ(reference.size(), info.count);
    const double scale = std::max(norm(reference), kSmallGradient * everything);
    const double error = distance(std::span(c.gradient).subspan(info.offset, info.count), reference) / scale;
    EXPECT_LE(error, kSmoothLimit) << name << " " << info.name;
  }
}

// The check that runs from Cairn's own forward tensors, in Python.
void check_backward(const std::string& golden_folder) {
  const testing::ScratchFolder folder("golden-test");
  for (const std::string name : kModels) {
    const Bytes model = read_file(golden_folder + name + ".onnx", 1 << 24).value();
    ASSERT_TRUE(write_file(folder.file(name + ".onnx"), model).ok());
    ASSERT_TRUE(write_file(folder.file(name + ".npz"), dump(compute(golden_folder, name))).ok());
  }
  const auto result = testing::run_script("tests/golden/check_backward.py", {folder.file("")});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  std::printf("%s", result.output.c_str());
}

TEST(Golden, LogitsLossAndSmoothGradientsMatchPyTorchInFloat64) {
  for (const char* name : kModels) expect_close(testing::golden_path(""), name);
}

// Every operator of these models, forward and backward, with any vectors and threads.
TEST(Golden, SameBitsUnderEveryIsaAndThreadCount) {
  for (const std::string name : kModels) {
    const std::string path = testing::golden_path(name);
    const auto imported = import_onnx(read_file(path + ".onnx", 1 << 24).value(), name).value();
    const Bytes file = read_file(path + ".npz", 1 << 26).value();
    const Arrays arrays = read_arrays(file);
    const auto input = arrays.at("input").values<float>().value();
    const auto labels = arrays.at("labels").values<int32_t>().value();
    std::map<model::Precision, std::vector<float>> expected;
    for (const exact::Isa isa : exact::supported_isas()) {
      for (const auto& [threads, precision] : {std::pair(1, model::Precision::standard),
                                               {3, model::Precision::standard},
                                               {3, model::Precision::fast}}) {
        ThreadPool pool(threads);
        const auto backend = exact::make_backend(isa, pool);
        const model::NetworkOptions options{.batch = batch_of(imported.graph, labels),
                                            .bits = model::product_bits(precision)};
        auto network = model::Network::compile(imported.graph, options, *backend).value();
        std::vector<float> gradient(network.parameter_count());
        ASSERT_TRUE(network.gradient(imported.parameters, input, labels, {.seed = 1}, gradient).ok());
        const auto [first, is_first] = expected.try_emplace(precision, gradient);
        EXPECT_EQ(gradient, first->second) << name << " " << exact::isa_name(isa) << " " << threads;
      }
    }
    EXPECT_NE(expected[model::Precision::fast], expected[model::Precision::standard]) << name;
  }
}

TEST(Golden, OperatorsAndBackwardPassMatchFloat64FromOurOwnForwardTensors) {
  if (!testing::has_torch()) GTEST_SKIP() << testing::kNoTorch;
  check_backward(testing::golden_path(""));
}

// The committed files could have been fitted to; these are new.
TEST(Golden, FreshModelsMatchToo) {
  if (!testing::has_torch()) GTEST_SKIP() << testing::kNoTorch;
  const testing::ScratchFolder folder("fresh-golden-test");
  const auto made = testing::run_script("tests/golden/make_golden.py", {folder.file(""), "--seed", "20"});
  ASSERT_EQ(made.exit_code, 0) << made.output;
  for (const char* name : kModels) expect_close(folder.file(""), name);
  check_backward(folder.file(""));
}

// A few of the models that script/parity compares, whole: those that take a second or two.
TEST(Golden, ModelsOfPyTorchsLibrariesAgree) {
  if (!testing::has_torchvision()) GTEST_SKIP() << testing::kNoTorchvision;
  const testing::ScratchFolder folder("parity-test");
  const auto result =
      testing::run_script("tests/parity/check_parity.py",
                          {CAIRN_PARITY_COMPUTE, folder.file(""), "mobilenet_v3_small", "vit_small",
                           "vit_permuted", "gpt", "gpt_where_dropout", "encoder_layers", "odds_and_ends"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  std::printf("%s", result.output.c_str());
}

}  // namespace
}  // namespace cairn::onnx
