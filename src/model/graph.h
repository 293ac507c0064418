// The canonical model: a graph of operators with named parameters, and no code.
//
// It is what a project hosts and what volunteers see: docs/formats/model-file.md gives its bytes. Values are
// numbered; value v has shape shapes[v] and the first dimension of every activation is the batch (stored as
// 1, scaled when a program is compiled for a batch size). Nodes stand in an order in which every input is
// made before it is used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace cairn::model {

// Numbers are part of the file format: append only.
enum class Operator : uint16_t {
  conv = 1,
  gemm = 2,  // y = x * w^T (+ b): rows of x by rows of w
  matmul = 3,
  add = 4,
  multiply = 5,
  batch_normalization = 6,
  relu = 7,
  max_pool = 8,
  average_pool = 9,
  global_average_pool = 10,
  flatten = 11,
  reshape = 12,
  softmax = 13,
  depthwise_conv = 14,
  // Functions of one variable: model/operator_activation.cc.
  sigmoid = 15,
  tanh = 16,
  erf = 17,
  exp = 18,
  log = 19,
  sqrt = 20,
  reciprocal = 21,
  abs = 22,
  neg = 23,
  square = 24,
  cube = 25,
  clip = 26,
  leaky_relu = 27,
  selu = 28,
  softplus = 29,
  hard_sigmoid = 30,
  hard_swish = 31,
  add_constant = 32,
  multiply_constant = 33,
  concat = 34,
  slice = 35,
  pad = 36,
  transpose = 37,
  row_normalization = 38,
  batch_matmul = 39,  // the product of two activations
  expand = 40,        // repeats dimensions of 1, or a parameter for each sample
  embedding = 41,     // rows of a parameter, chosen by whole numbers
  maximum = 42,
  minimum = 43,
  constant = 44,  // numbers that are no parameter
  dropout = 45,
};

using Shape = std::vector<int64_t>;
using ValueId = uint32_t;

// The attributes that an operator has are listed in the operator table (operators.h); absent ones are at
// defaults.
struct Attributes {
  std::vector<int64_t> kernel = {};     // kernel height, width
  std::vector<int64_t> strides = {};    // height, width
  std::vector<int64_t> pads = {};       // top, left, bottom, right
  std::vector<int64_t> dilations = {};  // height, width
  std::vector<int64_t> shape = {};      // reshape: target, 0 copies, -1 infers
  int64_t groups = 1;
  int64_t axis = 1;
  bool count_padding = false;
  bool ceil_mode = false;
  float epsilon = 1e-5f;
  float alpha = 0;  // constants of a function of one variable
  float beta = 0;
  int64_t start = 0;  // slice: of `length` along `axis`
  int64_t length = 0;
  std::vector<int64_t> permutation = {};  // transpose: the input's dimension that each one is
  std::vector<float> values = {};         // constant: row-major, of `shape`

  bool operator==(const Attributes&) const = default;
};

struct Node {
  Operator op;
  std::string name;  // as the exporter named it, for messages
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attributes attributes;

  bool operator==(const Node&) const = default;
};

// How a parameter is drawn when the project is made from a built-in model.
enum class Initializer : uint8_t { given = 0, zero = 1, one = 2, kaiming_uniform = 3 };

struct Parameter {
  std::string name;
  ValueId value;
  Initializer initializer = Initializer::given;
  int64_t fan_in = 1;
  bool operator==(const Parameter&) const = default;
};

// Batch normalization's running mean and variance: no parameters (they have no gradient) and recomputed from
// a fixed sample for evaluation and export, but named, so that an export carries them under their old names.
struct Statistics {
  uint32_t node;
  std::string mean_name;
  std::string variance_name;
  bool operator==(const Statistics&) const = default;
};

struct Graph {
  ValueId input = 0;          // [1, channels, height, width], [1, features] or [1, positions]
  ValueId output = 0;         // logits [1, classes] or [1, positions, classes]
  std::vector<Shape> shapes;  // by value
  std::vector<Parameter> parameters;
  std::vector<Statistics> statistics;
  std::vector<Node> nodes;
  bool operator==(const Graph&) const = default;
};

// Rows of logits, and so labels, for each sample. Precondition: the graph is verified.
int64_t rows_per_sample(const Graph& graph);

// The number of rows of the smallest embedding that the input chooses from: its values must be whole numbers
// below. 0 where the input chooses no rows. Precondition: the graph is verified.
int64_t token_limit(const Graph& graph);

// Floats of all parameters together. Precondition: the graph is verified.
uint64_t parameter_count(const Graph& graph);

inline constexpr uint64_t kMaxModelFileSize = 64 << 20;
inline constexpr uint32_t kMaxNodes = 1 << 15;
inline constexpr uint32_t kMaxValues = 1 << 16;
inline constexpr size_t kMaxRank = 8;
inline constexpr size_t kMaxNameLength = 1000;             // bytes of UTF-8 without control characters
inline constexpr int64_t kMaxElements = int64_t{1} << 31;  // of one value
inline constexpr int64_t kMaxParameterElements = int64_t{1} << 28;  // of all parameters together

inline constexpr uint32_t kMaxConstantElements = 1 << 22;  // of one Constant

// The number of elements, or nothing where the shape breaks a limit (rank, a dimension below 1, product).
std::optional<int64_t> checked_elements(const Shape& shape);
// Precondition: the shape is within the limits.
int64_t elements(const Shape& shape);

// Everything that decode_graph() promises of a graph: each value is the input, a parameter or one node's
// output, is made before it is used and is used (all but the output); names are valid and unique (parameters
// among parameters, nodes among nodes); each node obeys the operator table and its output has the shape that
// the table gives; each batch normalization has its statistics.
Status verify(const Graph& graph);

// Precondition: verify(graph).
Bytes encode(const Graph& graph);
// Decodes and verifies: every limit, every shape, every operator. Refusals name the node or the field.
Result<Graph> decode_graph(BytesView bytes);

}  // namespace cairn::model
