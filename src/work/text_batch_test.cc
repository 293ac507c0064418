// Text as a model takes it: each token is the label of those before it.
#include <gmock/gmock.h>

#include <random>

#include "model/graph_builder.h"
#include "work/block_encoding.h"
#include "work/evaluation.h"
#include "work/gradient.h"
#include "work/toy_data.h"

namespace cairn::work {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kContext = 6, kVocabulary = 9;

// Text in which each token is the one before plus one, in 64 pieces of each split.
struct ToyText {
  ToyText() {
    manifest.name = "toy";
    manifest.kind = data::Kind::text;
    manifest.context = kContext;
    manifest.vocabulary = kVocabulary;
    for (const size_t split : {0u, 1u}) {
      Bytes tokens;
      for (uint32_t piece = 0; piece < kPieces; ++piece) {
        for (uint32_t i = 0; i <= kContext; ++i) {
          tokens.push_back(static_cast<uint8_t>((piece * 5 + i) % kVocabulary));
          tokens.push_back(0);
        }
      }
      const data::Shard shard{kPieces, blobs.put(tokens),
                              blobs.put(data::encode_index({data::chunk_digests(tokens), {}}, kPieces))};
      manifest.groups[split].push_back({kPieces, blobs.put(data::encode_page({shard}))});
    }
  }

  static constexpr uint32_t kPieces = 64;
  data::Manifest manifest;
  MemoryBlobs blobs;
};

model::Graph bigrams(int64_t tokens = kVocabulary) {
  model::GraphBuilder g({1, kContext});
  const auto table = g.parameter("table", {tokens, 8});
  const auto chosen = g.node(model::Operator::embedding, "embedding", {g.input(), table});
  g.node(model::Operator::gemm, "logits", {chosen, g.parameter("out", {tokens, 8})});
  return std::move(g).finish().value();
}

Recipe recipe_of_text() {
  Recipe recipe = toy_recipe(40);
  recipe.batch = 4;
  recipe.rate = {{0, uint64_t{1} << 40}};
  return recipe;
}

TEST(Text, EachTokenIsTheLabelOfThoseBeforeIt) {
  const ToyText text;
  const data::DataSet data(text.manifest, text.blobs);
  Recipe recipe = recipe_of_text();
  Batch batch;
  ASSERT_TRUE(BatchLoader(recipe, data).load_training(0, 0, std::vector<uint32_t>{7, 3}, batch).ok());
  ASSERT_EQ(batch.input.size(), 4 * kContext);
  ASSERT_EQ(batch.labels.size(), 4 * kContext);
  for (uint32_t i = 0; i < kContext; ++i) {
    EXPECT_EQ(batch.input[i], static_cast<float>((7 * 5 + i) % kVocabulary));
    EXPECT_EQ(batch.labels[i], static_cast<int32_t>((7 * 5 + i + 1) % kVocabulary));
    EXPECT_EQ(batch.input[kContext + i], static_cast<float>((3 * 5 + i) % kVocabulary));
  }
  EXPECT_EQ(batch.others, batch.labels);
}

TEST(Text, IsLearntAndTestedTokenByToken) {
  const ToyText text;
  const data::DataSet data(text.manifest, text.blobs);
  const Recipe recipe = recipe_of_text();
  ThreadPool pool(1);
  const auto backend = exact::make_backend(exact::supported_isas().back(), pool);
  const model::Graph graph = bigrams();
  model::Network network = *compile_network(graph, recipe, *backend);
  std::vector<float> parameters(network.parameter_count());
  std::mt19937_64 random(1);
  for (float& value : parameters) value = static_cast<float>(random() % 1000) * 0x1p-11f - 0.25f;
  const auto test = [&] {
    return *evaluate(recipe, network, *backend, data, data::Split::test, parameters, {}, 30);
  };
  const Evaluation before = test();
  EXPECT_EQ(before.images, 30 * kContext);
  for (uint32_t unit = 0; unit < 4; ++unit) {
    const auto file = compute_gradient({{}, {}, 0, unit}, recipe, network, data, parameters);
    ASSERT_TRUE(file.ok()) << file.error().message;
    std::vector<float> change(parameters.size());
    decode_values(*file, change);
    for (size_t i = 0; i < change.size(); ++i) parameters[i] -= change[i];
  }
  const Evaluation after = test();
  EXPECT_LT(before.correct, before.images / 2);
  EXPECT_EQ(after.correct, after.images) << "the next token is always the same";
  EXPECT_LT(after.loss, 0.2f);
}

TEST(Text, ModelsAndRecipesOfImagesAreRefused) {
  const ToyText text;
  const data::DataSet data(text.manifest, text.blobs);
  const auto refusal = [&](const Recipe& recipe, const model::Graph& graph) {
    ThreadPool pool(1);
    const auto backend = exact::make_backend(exact::Isa::scalar, pool);
    const model::Network network = *compile_network(graph, recipe, *backend);
    const Status status = check_network(recipe, network, data);
    return status ? "accepted" : status.error().message;
  };
  Recipe recipe = recipe_of_text();
  EXPECT_EQ(refusal(recipe, bigrams()), "accepted");
  EXPECT_THAT(refusal(recipe, bigrams(5)), HasSubstr("the model has 5 classes, but the data has 9"));
  recipe.augmentation.flip = true;
  EXPECT_THAT(refusal(recipe, bigrams()),
              HasSubstr("recipe: augmentation: is for images, and this data is text"));
  recipe = recipe_of_text();
  recipe.size = 3;
  EXPECT_THAT(refusal(recipe, bigrams()), HasSubstr("recipe: input: is for images"));
}

}  // namespace
}  // namespace cairn::work
