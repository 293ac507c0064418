// What makes a graph a model: checked after decoding and after importing, before anything is computed.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "model/operators.h"

namespace cairn::model {
namespace {

Status check_name(const std::string& name, const char* field) {
  const Status status = cairn::check_name(name, kMaxNameLength);
  return status ? status : status.error().within(field);
}

// Walks a graph in order and remembers what each value is.
class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), kinds_(graph.shapes.size(), Kind::unknown) {}

  Status run() {
    CAIRN_CHECK(values());
    CAIRN_CHECK(parameters());
    CAIRN_CHECK(nodes());
    CAIRN_CHECK(statistics());
    return ends();
  }

 private:
  enum class Kind : uint8_t { unknown, activation, parameter, constant };

  Status values() {
    if (graph_.shapes.empty() || graph_.shapes.size() > kMaxValues)
      return Error{"values: must be 1 to 65536"};
    for (size_t v = 0; v < graph_.shapes.size(); ++v) {
      if (!checked_elements(graph_.shapes[v])) {
        return Error{"value " + std::to_string(v) + ": the shape is beyond the limits"};
      }
    }
    used_.resize(graph_.shapes.size());
    if (graph_.input >= graph_.shapes.size()) return Error{"input: no such value"};
    const Shape& shape = graph_.shapes[graph_.input];
    if (shape.size() < 2 || shape[0] != 1)
      return Error{"input: needs 2 dimensions or more, a batch of 1 first"};
    kinds_[graph_.input] = Kind::activation;
    return {};
  }

  Status parameters() {
    std::set<std::string_view> names;
    int64_t total = 0;
    for (const Parameter& parameter : graph_.parameters) {
      CAIRN_CHECK(check_name(parameter.name, "parameters"));
      const std::string place = "parameter '" + parameter.name + "'";
      if (!names.insert(parameter.name).second) return Error{place + ": two parameters have this name"};
      CAIRN_CHECK(define(parameter.value, Kind::parameter, place));
      if (parameter.fan_in < 1 || parameter.fan_in > kMaxParameterElements) {
        return Error{place + ": fan_in is out of range"};
      }
      total += elements(graph_.shapes[parameter.value]);
      if (total > kMaxParameterElements) return Error{place + ": more than 2^28 numbers in all parameters"};
    }
    return {};
  }

  Status define(ValueId value, Kind kind, const std::string& place) {
    if (value >= kinds_.size()) return Error{place + ": value " + std::to_string(value) + " does not exist"};
    if (kinds_[value] != Kind::unknown) {
      return Error{place + ": value " + std::to_string(value) + " has two sources"};
    }
    kinds_[value] = kind;
    return {};
  }

  Status nodes() {
    if (graph_.nodes.empty() || graph_.nodes.size() > kMaxNodes) return Error{"nodes: must be 1 to 32768"};
    std::set<std::string_view> names;
    for (const Node& node : graph_.nodes) {
      CAIRN_CHECK(check_name(node.name, "nodes"));
      if (!names.insert(node.name).second) return Error{"node '" + node.name + "': two nodes have this name"};
      CAIRN_CHECK(check_node(node, "node '" + node.name + "'"));
    }
    return {};
  }

  Status check_node(const Node& node, const std::string& place) {
    std::vector<Operand> operands;
    for (ValueId value : node.inputs) {
      if (value >= kinds_.size() || kinds_[value] == Kind::unknown) {
        return Error{place + ": input " + std::to_string(value) + " is not made before it is used"};
      }
      used_[value] = true;
      operands.push_back(
          {graph_.shapes[value], kinds_[value] != Kind::activation, kinds_[value] == Kind::constant});
    }
    CAIRN_TRY(const Shape shape, infer_shape(node, operands));
    if (node.outputs.size() != 1) return Error{place + ": must have one output"};
    const bool constant = node.op == Operator::constant;
    CAIRN_CHECK(define(node.outputs[0], constant ? Kind::constant : Kind::activation, place));
    if (graph_.shapes[node.outputs[0]] != shape)
      return Error{place + ": the output's shape is not what follows from its inputs"};
    return {};
  }

  Status statistics() {
    size_t next = 0;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (graph_.nodes[n].op != Operator::batch_normalization) continue;
      if (next == graph_.statistics.size() || graph_.statistics[next].node != n) {
        return Error{"statistics: node '" + graph_.nodes[n].name +
                     "' needs exactly one entry, in the order of nodes"};
      }
      CAIRN_CHECK(check_name(graph_.statistics[next].mean_name, "statistics"));
      CAIRN_CHECK(check_name(graph_.statistics[next].variance_name, "statistics"));
      ++next;
    }
    if (next != graph_.statistics.size()) return Error{"statistics: an entry names no batch normalization"};
    return {};
  }

  Status ends() {
    if (graph_.output >= kinds_.size() || graph_.output != graph_.nodes.back().outputs[0]) {
      return Error{"output: must be what the last node makes"};
    }
    const Shape& logits = graph_.shapes[graph_.output];
    if (kinds_[graph_.output] != Kind::activation || logits.size() < 2 || logits.size() > 3 ||
        logits.back() < 2) {
      return Error{"output: must be [1, classes] or [1, positions, classes] with two classes or more"};
    }
    used_[graph_.output] = true;
    for (size_t v = 0; v < kinds_.size(); ++v) {
      if (kinds_[v] == Kind::unknown) return Error{"value " + std::to_string(v) + ": nothing makes it"};
      if (!used_[v]) return Error{"value " + std::to_string(v) + ": nothing uses it"};
    }
    return {};
  }

  const Graph& graph_;
  std::vector<Kind> kinds_;
  std::vector<bool> used_;
};

}  // namespace

std::optional<int64_t> checked_elements(const Shape& shape) {
  if (shape.size() > kMaxRank) return std::nullopt;
  int64_t product = 1;
  for (int64_t dimension : shape) {
    if (dimension < 1 || dimension > kMaxElements / product) return std::nullopt;
    product *= dimension;
  }
  return product;
}

int64_t elements(const Shape& shape) {
  int64_t product = 1;
  for (int64_t dimension : shape) product *= dimension;
  return product;
}

Status verify(const Graph& graph) {
  return Verifier(graph).run();
}

int64_t rows_per_sample(const Graph& graph) {
  const Shape& logits = graph.shapes[graph.output];
  return elements(logits) / logits.back();
}

int64_t token_limit(const Graph& graph) {
  int64_t limit = 0;
  for (const Node& node : graph.nodes) {
    if (node.op != Operator::embedding) continue;
    const int64_t rows = graph.shapes[node.inputs[1]][0];
    limit = limit == 0 ? rows : std::min(limit, rows);
  }
  return limit;
}

uint64_t parameter_count(const Graph& graph) {
  uint64_t count = 0;
  for (const Parameter& parameter : graph.parameters)
    count += static_cast<uint64_t>(elements(graph.shapes[parameter.value]));
  return count;
}

}  // namespace cairn::model
