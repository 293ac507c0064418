#include "weights/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "base/npz.h"
#include "model/builtin.h"
#include "model/network.h"
#include "onnx/python.h"
#include "onnx/sandbox.h"
#include "weights/pytorch.h"
#include "weights/safetensors.h"

namespace cairn::weights {
namespace {

using onnx::testing::kNoTorch;
using onnx::testing::kNoTorchvision;
using onnx::testing::run_script;
using onnx::testing::ScratchFolder;
using ::testing::HasSubstr;

const Tensor& named(const std::vector<Tensor>& tensors, const std::string& name) {
  return *std::ranges::find(tensors, name, &Tensor::name);
}

struct Small {
  model::Graph graph = model::builtin_model("resnet8", {1, 1, 28, 28}, 10).value();
  std::vector<float> parameters = model::initial_parameters(graph, 1);
  std::vector<float> statistics = std::vector<float>(onnx::statistics_count(graph), 1.0f);
};

TEST(StateDict, HoldsParametersStatisticsAndCounters) {
  const Small m;
  const auto tensors = state_dict(m.graph, m.parameters, m.statistics).value();
  EXPECT_EQ(tensors.size(), m.graph.parameters.size() + 3 * m.graph.statistics.size());
  EXPECT_EQ(tensors.front().name, "conv1.weight");
  EXPECT_EQ(tensors.front().shape, (model::Shape{16, 1, 3, 3}));
  EXPECT_EQ(named(tensors, "bn1.running_var").shape, model::Shape{16});
  EXPECT_EQ(named(tensors, "bn1.num_batches_tracked").shape, model::Shape{});
  EXPECT_EQ(named(tensors, "bn1.num_batches_tracked").bytes.size(), 8u);
  EXPECT_EQ(named(tensors, "fc.weight").shape, (model::Shape{10, 64}));
  size_t floats = 0;
  for (const Tensor& tensor : tensors) floats += tensor.element == Element::f32 ? tensor.bytes.size() / 4 : 0;
  EXPECT_EQ(floats, m.parameters.size() + m.statistics.size());
}

TEST(StateDict, OtherNamesOfStatisticsHaveNoCounter) {
  Small m;
  m.graph.statistics[0].mean_name = "moving_mean";
  const auto tensors = state_dict(m.graph, m.parameters, m.statistics).value();
  EXPECT_EQ(tensors.size(), m.graph.parameters.size() + 3 * m.graph.statistics.size() - 1);
}

TEST(StateDict, RefusesWhatDoesNotFit) {
  Small m;
  EXPECT_THAT(state_dict(m.graph, m.parameters, {}).error().message, HasSubstr("statistics: 0 numbers"));
  m.parameters.back() = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(state_dict(m.graph, m.parameters, m.statistics).error().message, HasSubstr("is not finite"));
  m.parameters.pop_back();
  EXPECT_THAT(state_dict(m.graph, m.parameters, m.statistics).error().message, HasSubstr("parameters: "));
}

TEST(StateDict, RefusesAStatisticWithTheNameOfAParameter) {
  Small m;
  m.graph.statistics[0].mean_name = "fc.weight";
  EXPECT_THAT(state_dict(m.graph, m.parameters, m.statistics).error().message, HasSubstr("fc.weight"));
}

TEST(StateDict, KnowsNamesThatExportersMakeUp) {
  std::vector<Tensor> tensors(4);
  tensors[0].name = "onnx::MatMul_12";
  tensors[1].name = "123";
  tensors[2].name = "layers.0.weight";
  tensors[3].name = "onnx.weight";
  EXPECT_EQ(made_up_names(tensors), (std::vector<std::string>{"onnx::MatMul_12", "123"}));
}

// What a project that began with this file exports, before any training.
void write_files(const std::string& file, const ScratchFolder& folder) {
  const auto model = onnx::import_onnx_file(file);
  ASSERT_TRUE(model.ok()) << model.error().message;
  ThreadPool pool(1);
  const auto backend = exact::make_backend(exact::supported_isas().back(), pool);
  auto network = model::Network::compile(model->graph, {.batch = 8}, *backend).value();
  std::vector<float> input;
  for (size_t i = 0; i < network.input_count(); ++i)
    input.push_back(std::sin(static_cast<float>(i % 1009) * (0.01f + static_cast<float>(i % 8) * 0.02f)));
  const auto statistics = network.batch_statistics(model->parameters, input).value();
  const auto logits = network.logits(model->parameters, statistics, input).value();
  NpzWriter expected;
  model::Shape shape = model->graph.shapes[model->graph.input];
  shape[0] = 8;
  expected.add<float>("input", shape, input);
  expected.add<float>("logits", std::vector<int64_t>{8, network.classes()}, logits);
  ASSERT_TRUE(write_file(folder.file("expected.npz"), expected.finish().value()).ok());
  const auto tensors = state_dict(model->graph, model->parameters, statistics).value();
  EXPECT_EQ(made_up_names(tensors), std::vector<std::string>());
  ASSERT_TRUE(write_file(folder.file("model.pt"), encode_pytorch(tensors).value()).ok());
  ASSERT_TRUE(write_file(folder.file("model.safetensors"), encode_safetensors(tensors)).ok());
}

void loads_strictly(const std::string& name, const std::string& size) {
  const ScratchFolder folder("weights-test-" + name);
  const std::string file = folder.file("model.onnx");
  const auto made = run_script("examples/pytorch/export_model.py", {file, name, "--size", size});
  ASSERT_EQ(made.exit_code, 0) << made.output;
  write_files(file, folder);
  const auto loaded = run_script("tests/weights/check_weights.py", {folder.file(""), name});
  EXPECT_EQ(loaded.exit_code, 0) << name << ": " << loaded.output;
  EXPECT_THAT(loaded.output, HasSubstr("tensors loaded strictly")) << name;
}

TEST(PyTorch, LoadsTheExamplesStateDictStrictly) {
  if (!onnx::testing::has_torch()) GTEST_SKIP() << kNoTorch;
  loads_strictly("net", "28");
}

TEST(PyTorch, LoadsAResNetsStateDictStrictly) {
  if (!onnx::testing::has_torchvision()) GTEST_SKIP() << kNoTorchvision;
  loads_strictly("resnet18", "64");
}

TEST(PyTorch, LoadsAMobileNetsStateDictStrictly) {
  if (!onnx::testing::has_torchvision()) GTEST_SKIP() << kNoTorchvision;
  loads_strictly("mobilenet_v3_small", "64");
}

}  // namespace
}  // namespace cairn::weights
