#include "weights/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/builtin.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/python.h"
#include "weights/pytorch.h"
#include "weights/safetensors.h"

namespace cairn::weights {
namespace {

using onnx::testing::ScratchFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Model {
  explicit Model(uint64_t seed, int64_t classes = 10)
      : graph(model::builtin_model("resnet8", {1, 1, 28, 28}, classes).value()),
        parameters(model::initial_parameters(graph, seed)),
        statistics(onnx::statistics_count(graph), 2.0f) {}

  std::vector<Tensor> tensors() const { return state_dict(graph, parameters, statistics).value(); }

  model::Graph graph;
  std::vector<float> parameters, statistics;
};

struct LoadWeights : testing::Test {
  Result<LoadedWeights> load(const Bytes& bytes, Fit fit = Fit::whole) const {
    const std::string file = folder.file("weights");
    EXPECT_TRUE(write_file(file, bytes).ok());
    return load_weights(own.graph, own.parameters, file, fit);
  }
  std::string refusal(const std::vector<Tensor>& tensors, Fit fit = Fit::whole) const {
    const auto result = load(encode_safetensors(tensors), fit);
    return result ? "taken" : result.error().message;
  }

  ScratchFolder folder{"load-weights-test"};
  const Model own{1}, other{2};
};

TEST_F(LoadWeights, FromSafetensorsThatHoldTheWholeStateDict) {
  const auto loaded = load(encode_safetensors(other.tensors()));
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->parameters, other.parameters);
  EXPECT_THAT(loaded->kept, ElementsAre());
  EXPECT_THAT(loaded->surplus, ElementsAre());
}

TEST_F(LoadWeights, FromAnOnnxFile) {
  const auto loaded = load(onnx::export_onnx(other.graph, other.parameters, other.statistics).value());
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->parameters, other.parameters);
}

TEST_F(LoadWeights, TakesShapesThatDifferBySizesOfOne) {
  auto tensors = other.tensors();
  for (Tensor& tensor : tensors) tensor.shape.insert(tensor.shape.begin(), 1);
  EXPECT_EQ(load(encode_safetensors(tensors))->parameters, other.parameters);
}

TEST_F(LoadWeights, NamesWhatIsMissingSurplusAndMisshapen) {
  auto tensors = other.tensors();
  tensors[0].name = "stem.weight";
  tensors[1].shape = {4, 4};
  const std::string message = refusal(tensors);
  EXPECT_THAT(message, HasSubstr("lacks conv1.weight"));
  EXPECT_THAT(message, HasSubstr("bn1.weight ([4, 4] where the model has [16])"));
  EXPECT_THAT(message, HasSubstr("has what the model does not: stem.weight"));
  EXPECT_THAT(message, HasSubstr(folder.file("weights")));
}

TEST_F(LoadWeights, ATransposedWeightDoesNotFit) {
  auto tensors = other.tensors();
  Tensor& last = *std::ranges::find(tensors, "fc.weight", &Tensor::name);
  std::swap(last.shape[0], last.shape[1]);
  EXPECT_THAT(refusal(tensors), HasSubstr("fc.weight ([64, 10] where the model has [10, 64])"));
}

TEST_F(LoadWeights, KeepsTheLastLayerOfAnotherTaskWhereThatIsAskedFor) {
  const Model imagenet(2, 1000);
  const Bytes file = encode_safetensors(imagenet.tensors());
  EXPECT_THAT(load(file).error().message, HasSubstr("fc.weight ([1000, 64] where"));
  const auto loaded = load(file, Fit::partial);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_THAT(loaded->kept, ElementsAre("fc.weight", "fc.bias"));
  const size_t last = 10 * 64 + 10, before = own.parameters.size() - last;
  const auto part = [](const std::vector<float>& values, size_t begin, size_t count) {
    return std::vector<float>(values.begin() + static_cast<std::ptrdiff_t>(begin),
                              values.begin() + static_cast<std::ptrdiff_t>(begin + count));
  };
  EXPECT_EQ(part(loaded->parameters, 0, before), part(imagenet.parameters, 0, before));
  EXPECT_EQ(part(loaded->parameters, before, last), part(own.parameters, before, last));
}

TEST_F(LoadWeights, RefusesAFileOfWhichNothingFits) {
  auto tensors = other.tensors();
  for (Tensor& tensor : tensors) tensor.name = "model." + tensor.name;
  EXPECT_THAT(refusal(tensors, Fit::partial), HasSubstr("and 24 more"));
}

TEST_F(LoadWeights, RefusesWhatIsNoFileOfWeights) {
  EXPECT_THAT(load(encode_pytorch(other.tensors()).value()).error().message,
              HasSubstr("safetensors.torch.save_file"));
  EXPECT_THAT(load(to_bytes("neither")).error().message, HasSubstr("no ONNX file"));
  EXPECT_FALSE(load_weights(own.graph, own.parameters, folder.file("absent"), Fit::whole).ok());
  auto tensors = other.tensors();
  const std::vector<float> nan(16, std::numeric_limits<float>::quiet_NaN());
  tensors[1].bytes = {reinterpret_cast<const uint8_t*>(nan.data()), 64};
  EXPECT_THAT(refusal(tensors), HasSubstr("'bn1.weight': holds a number that is not finite"));
}

}  // namespace
}  // namespace cairn::weights
