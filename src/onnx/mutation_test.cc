// Damaged and crafted ONNX files: whatever the bytes are, the importer refuses them or gives a valid graph.
#include <gtest/gtest.h>

#include <random>

#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/testing.h"

namespace cairn::onnx {
namespace {

const std::vector<Bytes>& seeds() {
  static const std::vector<Bytes> files = [] {
    std::vector<Bytes> result;
    for (const char* name :
         {"mlp.onnx", "lenet.onnx", "resnet8.onnx", "linear.onnx", "average_pool.onnx", "mobile.onnx",
          "branches.onnx", "transformer.onnx", "functions.onnx", "language.onnx", "permuted.onnx"}) {
      // Without the weights' bytes most of a file is structure, which is what mutations should hit.
      ::onnx::ModelProto model;
      const Bytes bytes = testing::read_golden(name);
      EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
      result.push_back(bytes);
      for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
        if (tensor.raw_data().size() > 256) tensor.clear_raw_data();
      }
      result.push_back(testing::serialize(model));
    }
    return result;
  }();
  return files;
}

std::string first_difference(const std::vector<model::Node>& found,
                             const std::vector<model::Node>& expected) {
  if (found.size() != expected.size())
    return std::to_string(found.size()) + " nodes, not " + std::to_string(expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (!(found[i] == expected[i])) return "node '" + expected[i].name + "' became '" + found[i].name + "'";
  }
  return "";
}

void expect_refused_or_valid(const Bytes& bytes, int round) {
  const auto result = import_onnx(bytes, "mutant");
  if (!result) {
    EXPECT_TRUE(result.error().message.starts_with("mutant: ")) << round;
    return;
  }
  EXPECT_TRUE(model::verify(result->graph).ok()) << round;
  EXPECT_EQ(result->parameters.size(), model::parameter_count(result->graph)) << round;
  EXPECT_EQ(result->statistics.size(), statistics_count(result->graph)) << round;
  const auto decoded = model::decode_graph(model::encode(result->graph));
  EXPECT_TRUE(decoded.ok() && *decoded == result->graph) << round;
  const auto exported = export_onnx(result->graph, result->parameters, result->statistics);
  ASSERT_TRUE(exported.ok()) << round;
  const auto again = import_onnx(*exported, "exported");
  ASSERT_TRUE(again.ok()) << round << ": " << again.error().message;
  EXPECT_EQ(first_difference(again->graph.nodes, result->graph.nodes), "") << round;
}

TEST(Mutation, Truncated) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = seeds()[random() % seeds().size()];
    bytes.resize(random() % bytes.size());
    expect_refused_or_valid(bytes, round);
  }
}

TEST(Mutation, BytesChanged) {
  std::mt19937 random(2);
  for (int round = 0; round < 8000; ++round) {
    Bytes bytes = seeds()[random() % seeds().size()];
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random() % 2 ? random() : 1u << (random() % 8));
    }
    expect_refused_or_valid(bytes, round);
  }
}

TEST(Mutation, PiecesOfOneFileInAnother) {
  std::mt19937 random(3);
  for (int round = 0; round < 4000; ++round) {
    Bytes bytes = seeds()[random() % seeds().size()];
    const Bytes& other = seeds()[random() % seeds().size()];
    const size_t from = random() % other.size(), to = random() % bytes.size();
    const size_t size = std::min<size_t>(random() % 512, other.size() - from);
    const bool replace = random() % 2;
    const size_t dropped = replace ? std::min(size, bytes.size() - to) : 0;
    bytes.erase(bytes.begin() + to, bytes.begin() + to + dropped);
    bytes.insert(bytes.begin() + to, other.begin() + from, other.begin() + from + size);
    expect_refused_or_valid(bytes, round);
  }
}

// Mutations of the message and not of its bytes go deeper: the file always parses.
int64_t hostile_number(std::mt19937& random) {
  constexpr int64_t kNumbers[] = {0,  1,     -1,        2,         3,         5,        8,
                                  64, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  return kNumbers[random() % std::size(kNumbers)];
}

void mutate_attribute(::onnx::AttributeProto& attribute, std::mt19937& random) {
  if (attribute.ints_size() > 0) {
    if (random() % 8 == 0) return attribute.add_ints(hostile_number(random));
    return attribute.set_ints(static_cast<int>(random() % static_cast<size_t>(attribute.ints_size())),
                              hostile_number(random));
  }
  if (attribute.has_i()) return attribute.set_i(hostile_number(random));
  if (attribute.has_f()) return attribute.set_f(static_cast<float>(hostile_number(random)));
  if (attribute.has_t() && attribute.t().dims_size() > 0) {
    return attribute.mutable_t()->set_dims(0, hostile_number(random));
  }
}

template <typename Field>
auto& any_of(Field* field, std::mt19937& random) {
  return *field->Mutable(static_cast<int>(random() % static_cast<size_t>(field->size())));
}

void mutate_model(::onnx::ModelProto& model, std::mt19937& random) {
  ::onnx::GraphProto& graph = *model.mutable_graph();
  ::onnx::NodeProto& node = any_of(graph.mutable_node(), random);
  ::onnx::NodeProto& other = any_of(graph.mutable_node(), random);
  ::onnx::TensorProto& tensor = any_of(graph.mutable_initializer(), random);
  switch (random() % 10) {
    case 0:
      return node.set_op_type(other.op_type());
    case 1:
      return node.Swap(&other);
    case 2:
      return node.clear_input();
    case 3:
      return node.add_input(tensor.name());
    case 4:
      if (node.input_size() > 0 && other.output_size() > 0) node.set_input(0, other.output(0));
      return;
    case 5:
      if (node.attribute_size() > 0) mutate_attribute(any_of(node.mutable_attribute(), random), random);
      return;
    case 6:
      if (tensor.dims_size() > 0) tensor.set_dims(0, hostile_number(random));
      return;
    case 7:
      return tensor.Swap(&any_of(graph.mutable_initializer(), random));
    case 8: {
      auto* shape = graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
      return any_of(shape->mutable_dim(), random).set_dim_value(hostile_number(random));
    }
    default:
      return model.mutable_opset_import(0)->set_version(static_cast<int64_t>(11 + random() % 11));
  }
}

TEST(Mutation, NodesAttributesAndShapesChanged) {
  std::mt19937 random(4);
  int accepted = 0;
  for (int round = 0; round < 8000; ++round) {
    const Bytes& seed = seeds()[random() % seeds().size()];
    ::onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromArray(seed.data(), static_cast<int>(seed.size())));
    for (auto changes = 1 + random() % 3; changes > 0; --changes) mutate_model(model, random);
    const Bytes bytes = testing::serialize(model);
    expect_refused_or_valid(bytes, round);
    accepted += import_onnx(bytes, "mutant").ok();
  }
  EXPECT_GT(accepted, 100);  // or the mutations would be too rough to mean anything
}

}  // namespace
}  // namespace cairn::onnx
