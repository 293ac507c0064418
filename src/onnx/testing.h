// For tests of this folder: small ONNX models made in place.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "onnx/import.h"
#include "onnx/proto.h"

namespace cairn::onnx::testing {

inline std::string golden_path(const std::string& file) {
  return std::string(CAIRN_SOURCE_DIR) + "/tests/golden/" + file;
}

inline Bytes read_golden(const std::string& file) {
  return read_file(golden_path(file), 1 << 24).value();
}

inline Bytes serialize(const ::onnx::ModelProto& model) {
  Bytes bytes(model.ByteSizeLong());
  model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

// A model with one input "x" and one output "y"; tests add nodes and weights.
class ModelMaker {
 public:
  explicit ModelMaker(const std::vector<int64_t>& input_shape, int64_t opset = 13) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    auto* input = model_.mutable_graph()->add_input();
    input->set_name("x");
    auto* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(::onnx::TensorProto::FLOAT);
    for (const int64_t size : input_shape) {
      auto* dim = type->mutable_shape()->add_dim();
      if (size > 0)
        dim->set_dim_value(size);
      else
        dim->set_dim_param("batch");
    }
    model_.mutable_graph()->add_output()->set_name("y");
  }

  ::onnx::TensorProto& weight(const std::string& name, const std::vector<int64_t>& dims, float value = 0.5f) {
    auto* tensor = model_.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(::onnx::TensorProto::FLOAT);
    int64_t count = 1;
    for (const int64_t dim : dims) tensor->add_dims(dim), count *= dim;
    for (int64_t i = 0; i < count; ++i) tensor->add_float_data(value);
    return *tensor;
  }

  ::onnx::TensorProto& integers(const std::string& name, const std::vector<int64_t>& values) {
    auto* tensor = model_.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(::onnx::TensorProto::INT64);
    tensor->add_dims(static_cast<int64_t>(values.size()));
    for (const int64_t value : values) tensor->add_int64_data(value);
    return *tensor;
  }

  ::onnx::NodeProto& node(const std::string& op_type, const std::vector<std::string>& inputs,
                          const std::string& output) {
    auto* node = model_.mutable_graph()->add_node();
    node->set_op_type(op_type);
    node->set_name("make_" + output);
    for (const auto& input : inputs) node->add_input(input);
    node->add_output(output);
    return *node;
  }

  ::onnx::ModelProto& proto() { return model_; }
  Bytes bytes() const { return serialize(model_); }

 private:
  ::onnx::ModelProto model_;
};

inline void set(::onnx::NodeProto& node, const std::string& name, int64_t value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(::onnx::AttributeProto::INT);
  attribute->set_i(value);
}

inline void set(::onnx::NodeProto& node, const std::string& name, float value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(::onnx::AttributeProto::FLOAT);
  attribute->set_f(value);
}

inline void set(::onnx::NodeProto& node, const std::string& name, const std::string& value) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(::onnx::AttributeProto::STRING);
  attribute->set_s(value);
}

inline void set(::onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(::onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute->add_ints(value);
}

inline std::vector<model::Operator> operators_of(const model::Graph& graph) {
  std::vector<model::Operator> result;
  for (const auto& node : graph.nodes) result.push_back(node.op);
  return result;
}

inline std::string error_of(const ModelMaker& maker) {
  const auto result = import_onnx(maker.bytes(), "m.onnx");
  return result ? "no error" : result.error().message;
}

inline const model::Node& node_named(const model::Graph& graph, const std::string& name) {
  for (const auto& node : graph.nodes) {
    if (node.name == name) return node;
  }
  ADD_FAILURE() << "no node " << name;
  return graph.nodes.front();
}

}  // namespace cairn::onnx::testing
