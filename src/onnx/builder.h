// Builds a canonical graph node by node, then drops what does not reach the output and numbers the rest.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/operators.h"
#include "onnx/import.h"
#include "onnx/tensor.h"

namespace cairn::onnx {

class GraphBuilder {
 public:
  explicit GraphBuilder(model::Shape input_shape);

  model::ValueId input() const { return 0; }
  const model::Shape& shape(model::ValueId value) const { return values_[value].shape; }

  // A floating-point tensor of the file. It becomes a parameter when a node uses it as one.
  size_t add_weight(std::string name, Tensor tensor);
  const Tensor& weight(size_t index) const { return weights_[index].tensor; }
  model::ValueId parameter(size_t weight);
  // The same numbers in another shape. Refused where the weight is in use in its own.
  Status reshape_weight(size_t weight, const model::Shape& shape);

  // Numbers that are no weight; the same ones are one node.
  Result<model::ValueId> add_constant(const std::string& name, const model::Shape& shape,
                                      std::vector<float> values);
  model::Operand operand(model::ValueId value) const;
  // The node that makes the value, or null.
  const model::Node* maker(model::ValueId value) const;

  // Appends a node of one output; the shape rule of its operator judges it. A name that is taken gets a
  // number.
  Result<model::ValueId> add_node(model::Operator op, const std::string& name,
                                  std::vector<model::ValueId> inputs, model::Attributes attributes);
  // The running statistics of the node that was added last.
  void add_statistics(size_t mean_weight, size_t variance_weight);

  // The verified model. Values are numbered by first use: the input, then for each node its new parameters
  // and its output. The builder is used up.
  Result<ImportedModel> finish(model::ValueId output);

 private:
  struct Value {
    model::Shape shape;
    std::optional<size_t> weight;  // of a parameter
    std::optional<size_t> maker;   // the node that makes it
    bool constant = false;         // what a Constant makes
  };
  struct Weight {
    std::string name;
    Tensor tensor;
    std::optional<model::ValueId> value;
  };
  struct NodeStatistics {
    size_t mean;
    size_t variance;
  };

  std::string unique_name(const std::string& base);
  std::vector<bool> needed_nodes(model::ValueId output) const;
  void append_node(size_t node, std::vector<std::optional<model::ValueId>>& numbers, ImportedModel& model);

  std::vector<Value> values_;
  std::vector<Weight> weights_;
  std::vector<model::Node> nodes_;
  std::map<size_t, NodeStatistics> statistics_;
  std::set<std::string> names_;
  std::map<std::string, int> next_suffix_;
  std::map<std::pair<model::Shape, std::vector<uint32_t>>, model::ValueId> constants_;  // by shape and bits
  size_t constant_elements_ = 0;
};

}  // namespace cairn::onnx
