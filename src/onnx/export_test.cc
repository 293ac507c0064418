#include "onnx/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/npz.h"
#include "model/builtin.h"
#include "model/network.h"
#include "onnx/import.h"
#include "onnx/python.h"
#include "onnx/sandbox.h"

namespace cairn::onnx {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGoldenModels[] = {"mlp",          "lenet",        "resnet8",  "linear",
                                         "average_pool", "convolutions", "mobile",   "branches",
                                         "transformer",  "functions",    "language", "permuted"};

class GoldenExport : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Models, GoldenExport, ::testing::ValuesIn(kGoldenModels),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(GoldenExport, ImportsAsTheSameModel) {
  const auto model = import_onnx(testing::read_golden(std::string(GetParam()) + ".onnx"), "golden").value();
  const auto exported = export_onnx(model.graph, model.parameters, model.statistics);
  ASSERT_TRUE(exported.ok()) << exported.error().message;
  const auto again = import_onnx(*exported, "exported");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->graph == model.graph);
  EXPECT_EQ(again->parameters, model.parameters);
  EXPECT_EQ(again->statistics, model.statistics);
  EXPECT_EQ(*exported, export_onnx(again->graph, again->parameters, again->statistics).value());
}

// Writes the export of a golden model and the logits that Cairn computes for it.
void write_export(const std::string& name, const testing::ScratchFolder& folder) {
  const auto model = import_onnx(testing::read_golden(name + ".onnx"), name).value();
  const Bytes file = testing::read_golden(name + ".npz");
  const auto arrays = read_npz(file).value();
  ASSERT_EQ(arrays[0].name, "input");
  const auto input = arrays[0].values<float>().value();

  ThreadPool pool(1);
  const auto backend = exact::make_backend(exact::supported_isas().back(), pool);
  model::NetworkOptions options;
  options.batch = arrays[0].shape[0];
  auto network = model::Network::compile(model.graph, options, *backend).value();
  const auto statistics = network.batch_statistics(model.parameters, input).value();
  const auto logits = network.logits(model.parameters, statistics, input).value();
  const Bytes exported = export_onnx(model.graph, model.parameters, statistics).value();
  NpzWriter expected;
  expected.add<float>("input", arrays[0].shape, input);
  expected.add<float>(
      "logits", std::vector<int64_t>{static_cast<int64_t>(network.label_count()), network.classes()}, logits);
  ASSERT_TRUE(write_file(folder.file(name + ".npz"), expected.finish().value()).ok());
  ASSERT_TRUE(write_file(folder.file(name + ".onnx"), exported).ok());
}

TEST(Export, PassesTheCheckerAndGivesTheSameLogitsInFloat64) {
  if (!testing::has_torch()) GTEST_SKIP() << testing::kNoTorch;
  const testing::ScratchFolder folder("export-test");
  for (const char* name : kGoldenModels) write_export(name, folder);
  const auto result = testing::run_script("tests/golden/check_export.py", {folder.file("")});
  EXPECT_EQ(result.exit_code, 0) << result.output;
}

// What Cairn predicts for a few made-up images, as `examples/pytorch/load_weights.py --compare` takes it; and
// the exported model, as if it had been trained.
void write_trained(const std::string& onnx, const testing::ScratchFolder& folder) {
  const auto model = import_onnx_file(onnx);
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
  const Bytes trained = export_onnx(model->graph, model->parameters, statistics).value();
  ASSERT_TRUE(write_file(folder.file("trained.onnx"), trained).ok());
}

// What examples/pytorch/README.md tells people to do, without the training in between.
void bring_and_take_back(const std::string& name, const std::string& size) {
  const testing::ScratchFolder folder("example-test-" + name);
  const std::string file = folder.file("model.onnx");
  const auto made = testing::run_script("examples/pytorch/export_model.py", {file, name, "--size", size});
  ASSERT_EQ(made.exit_code, 0) << made.output;
  write_trained(file, folder);
  const auto loaded = testing::run_script(
      "examples/pytorch/load_weights.py",
      {folder.file("trained.onnx"), folder.file("model.pt"), name, "--compare", folder.file("expected.npz")});
  EXPECT_EQ(loaded.exit_code, 0) << name << ": " << loaded.output;
  EXPECT_TRUE(loaded.output.starts_with("8 of 8 predictions are the same")) << loaded.output;
  EXPECT_TRUE(std::filesystem::exists(folder.file("model.pt")));
}

TEST(Export, TheExampleBringsAModelAndTakesItBack) {
  if (!testing::has_torch()) GTEST_SKIP() << testing::kNoTorch;
  bring_and_take_back("net", "28");
}

TEST(Export, TheExampleTakesTorchvisionsModelsBack) {
  if (!testing::has_torchvision()) GTEST_SKIP() << testing::kNoTorchvision;
  bring_and_take_back("mobilenet_v3_small", "64");
}

TEST(Export, BuiltInModelsComeBackTheSame) {
  for (const auto name : model::builtin_names()) {
    model::Graph graph = model::builtin_model(name, {1, 1, 28, 28}, 10).value();
    const std::vector<float> parameters = model::initial_parameters(graph, 1);
    const std::vector<float> statistics(statistics_count(graph), 1.0f);
    const auto again = import_onnx(export_onnx(graph, parameters, statistics).value(), "exported").value();
    for (auto& parameter : graph.parameters) {  // An ONNX file holds values, not how they were drawn.
      parameter.initializer = model::Initializer::given;
      parameter.fan_in = 1;
    }
    EXPECT_TRUE(again.graph == graph) << name;
    EXPECT_EQ(again.parameters, parameters) << name;
  }
}

TEST(Export, WeightsOfMatMulKeepTheirLayout) {
  testing::ModelMaker maker({0, 6});
  maker.weight("w", {6, 4});
  maker.weight("b", {1, 4});
  maker.node("Gemm", {"x", "w", "b"}, "y");
  const auto model = import_onnx(maker.bytes(), "m").value();
  ::onnx::ModelProto exported;
  const Bytes bytes = export_onnx(model.graph, model.parameters, model.statistics).value();
  ASSERT_TRUE(exported.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  ASSERT_EQ(exported.graph().initializer_size(), 2);
  EXPECT_EQ(exported.graph().initializer(0).name(), "w");
  EXPECT_EQ(exported.graph().initializer(0).dims(0), 6);
  EXPECT_EQ(exported.graph().initializer(1).name(), "b");
  EXPECT_EQ(exported.graph().initializer(1).dims(0), 1);
}

TEST(Export, NamesThatONNXWouldConfuseStayApart) {
  testing::ModelMaker maker({0, 6});
  maker.weight("input", {6, 6});
  maker.weight("logits", {6, 6});
  maker.node("MatMul", {"x", "input"}, "h");
  maker.node("MatMul", {"h", "logits"}, "y");
  const auto model = import_onnx(maker.bytes(), "m").value();
  const auto again = import_onnx(export_onnx(model.graph, model.parameters, {}).value(), "e");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->graph == model.graph);
}

TEST(Export, RefusesWhatDoesNotFitTheGraph) {
  const auto model = import_onnx(testing::read_golden("resnet8.onnx"), "r").value();
  auto parameters = model.parameters;
  parameters.pop_back();
  EXPECT_THAT(export_onnx(model.graph, parameters, model.statistics).error().message,
              HasSubstr("parameters: "));
  parameters.push_back(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(export_onnx(model.graph, parameters, model.statistics).error().message,
              HasSubstr("is not finite"));
  EXPECT_THAT(export_onnx(model.graph, model.parameters, {}).error().message,
              HasSubstr("statistics: 0 numbers"));
  model::Graph broken = model.graph;
  broken.nodes.pop_back();
  EXPECT_FALSE(export_onnx(broken, model.parameters, model.statistics).ok());
}

}  // namespace
}  // namespace cairn::onnx
