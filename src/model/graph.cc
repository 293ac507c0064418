// The bytes of a model file. docs/formats/model-file.md describes them field by field.
#include "model/graph.h"

#include "model/operators.h"

namespace cairn::model {
namespace {

constexpr char kMagic[] = "cairn model";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kMaxInputs = 8;

void write_list(ByteWriter& out, const std::vector<int64_t>& values) {
  for (int64_t value : values) out.i64(value);
}

void write_attributes(ByteWriter& out, const Attributes& a, uint32_t has) {
  if (has & kHasKernel) write_list(out, a.kernel);
  if (has & kHasStrides) write_list(out, a.strides);
  if (has & kHasPads) write_list(out, a.pads);
  if (has & kHasDilations) write_list(out, a.dilations);
  if (has & kHasShape) {
    out.u8(static_cast<uint8_t>(a.shape.size()));
    write_list(out, a.shape);
  }
  if (has & kHasGroups) out.i64(a.groups);
  if (has & kHasAxis) out.i64(a.axis);
  if (has & kHasCountPadding) out.u8(a.count_padding);
  if (has & kHasCeilMode) out.u8(a.ceil_mode);
  if (has & kHasEpsilon) out.f32(a.epsilon);
  if (has & kHasAlpha) out.f32(a.alpha);
  if (has & kHasBeta) out.f32(a.beta);
  if (has & kHasRange) write_list(out, {a.start, a.length});
  if (has & kHasPermutation) {
    out.u8(static_cast<uint8_t>(a.permutation.size()));
    write_list(out, a.permutation);
  }
  if (has & kHasValues) {
    out.u32(static_cast<uint32_t>(a.values.size()));
    for (float value : a.values) out.f32(value);
  }
}

void write_ids(ByteWriter& out, const std::vector<ValueId>& ids) {
  out.u32(static_cast<uint32_t>(ids.size()));
  for (ValueId id : ids) out.u32(id);
}

void write_node(ByteWriter& out, const Node& node) {
  out.u16(static_cast<uint16_t>(node.op));
  out.string(node.name);
  write_ids(out, node.inputs);
  write_ids(out, node.outputs);
  write_attributes(out, node.attributes, find_rule(node.op)->attributes);
}

std::vector<int64_t> read_list(ByteReader& in, const char* field, size_t count) {
  std::vector<int64_t> values(count);
  for (int64_t& value : values) value = in.i64(field);
  return values;
}

bool read_bool(ByteReader& in, const char* field) {
  const uint8_t value = in.u8(field);
  if (value > 1) in.fail(field, "must be 0 or 1");
  return value == 1;
}

size_t read_rank(ByteReader& in, const char* field) {
  const uint8_t rank = in.u8(field);
  if (rank > kMaxRank) in.fail(field, "more than 8 dimensions");
  return in.ok() ? rank : 0;
}

Attributes read_attributes(ByteReader& in, uint32_t has) {
  Attributes a;
  if (has & kHasKernel) a.kernel = read_list(in, "node.kernel", 2);
  if (has & kHasStrides) a.strides = read_list(in, "node.strides", 2);
  if (has & kHasPads) a.pads = read_list(in, "node.pads", 4);
  if (has & kHasDilations) a.dilations = read_list(in, "node.dilations", 2);
  if (has & kHasShape) a.shape = read_list(in, "node.shape", read_rank(in, "node.shape"));
  if (has & kHasGroups) a.groups = in.i64("node.groups");
  if (has & kHasAxis) a.axis = in.i64("node.axis");
  if (has & kHasCountPadding) a.count_padding = read_bool(in, "node.count_padding");
  if (has & kHasCeilMode) a.ceil_mode = read_bool(in, "node.ceil_mode");
  if (has & kHasEpsilon) a.epsilon = in.f32("node.epsilon");
  if (has & kHasAlpha) a.alpha = in.f32("node.alpha");
  if (has & kHasBeta) a.beta = in.f32("node.beta");
  if (has & kHasRange) {
    a.start = in.i64("node.start");
    a.length = in.i64("node.length");
  }
  if (has & kHasPermutation) {
    a.permutation = read_list(in, "node.permutation", read_rank(in, "node.permutation"));
  }
  if (has & kHasValues) {
    a.values.resize(in.count("node.values", sizeof(float), kMaxConstantElements));
    for (float& value : a.values) value = in.f32("node.values");
  }
  return a;
}

std::vector<ValueId> read_ids(ByteReader& in, const char* field) {
  std::vector<ValueId> ids(in.count(field, sizeof(ValueId), kMaxInputs));
  for (ValueId& id : ids) id = in.u32(field);
  return ids;
}

Node read_node(ByteReader& in) {
  Node node;
  node.op = static_cast<Operator>(in.u16("node.operator"));
  node.name = in.string("node.name", kMaxNameLength);
  node.inputs = read_ids(in, "node.inputs");
  node.outputs = read_ids(in, "node.outputs");
  const OperatorRule* rule = find_rule(node.op);
  if (rule == nullptr) {
    in.fail("node.operator", "no operator has the number " + std::to_string(static_cast<int>(node.op)));
  } else {
    node.attributes = read_attributes(in, rule->attributes);
  }
  return node;
}

Shape read_shape(ByteReader& in) {
  Shape shape(read_rank(in, "value.rank"));
  for (int64_t& dimension : shape) dimension = in.u32("value.dimension");
  return shape;
}

Parameter read_parameter(ByteReader& in) {
  Parameter parameter;
  parameter.name = in.string("parameter.name", kMaxNameLength);
  parameter.value = in.u32("parameter.value");
  const uint8_t initializer = in.u8("parameter.initializer");
  if (initializer > static_cast<uint8_t>(Initializer::kaiming_uniform)) {
    in.fail("parameter.initializer", "unknown");
  }
  parameter.initializer = static_cast<Initializer>(initializer);
  parameter.fan_in = in.i64("parameter.fan_in");
  return parameter;
}

Statistics read_statistics(ByteReader& in) {
  Statistics statistics;
  statistics.node = in.u32("statistics.node");
  statistics.mean_name = in.string("statistics.mean_name", kMaxNameLength);
  statistics.variance_name = in.string("statistics.variance_name", kMaxNameLength);
  return statistics;
}

// Stops at the first failure, so that a hostile count costs nothing.
template <typename T>
void read_items(ByteReader& in, const char* field, size_t min_size, uint32_t max_count,
                T (*read)(ByteReader&), std::vector<T>& items) {
  const uint32_t count = in.count(field, min_size, max_count);
  for (uint32_t i = 0; i < count && in.ok(); ++i) items.push_back(read(in));
}

}  // namespace

Bytes encode(const Graph& graph) {
  ByteWriter out;
  out.string(kMagic);
  out.u32(kVersion);
  out.u32(graph.input);
  out.u32(graph.output);
  out.u32(static_cast<uint32_t>(graph.shapes.size()));
  for (const Shape& shape : graph.shapes) {
    out.u8(static_cast<uint8_t>(shape.size()));
    for (int64_t dimension : shape) out.u32(static_cast<uint32_t>(dimension));
  }
  out.u32(static_cast<uint32_t>(graph.parameters.size()));
  for (const Parameter& parameter : graph.parameters) {
    out.string(parameter.name);
    out.u32(parameter.value);
    out.u8(static_cast<uint8_t>(parameter.initializer));
    out.i64(parameter.fan_in);
  }
  out.u32(static_cast<uint32_t>(graph.statistics.size()));
  for (const Statistics& statistics : graph.statistics) {
    out.u32(statistics.node);
    out.string(statistics.mean_name);
    out.string(statistics.variance_name);
  }
  out.u32(static_cast<uint32_t>(graph.nodes.size()));
  for (const Node& node : graph.nodes) write_node(out, node);
  return out.take();
}

Result<Graph> decode_graph(BytesView bytes) {
  if (bytes.size() > kMaxModelFileSize) return Error{"model file: larger than 64 MiB"};
  ByteReader in(bytes);
  if (in.string("magic", sizeof kMagic) != kMagic) return Error{"model file: not a Cairn model file"};
  const uint32_t version = in.u32("version");
  if (in.ok() && version != kVersion) {
    return Error{"model file: version " + std::to_string(version) +
                 " is unknown; this program reads version 1"};
  }
  Graph graph;
  graph.input = in.u32("input");
  graph.output = in.u32("output");
  read_items(in, "values", 1, kMaxValues, read_shape, graph.shapes);
  read_items(in, "parameters", 17, kMaxValues, read_parameter, graph.parameters);
  read_items(in, "statistics", 12, kMaxNodes, read_statistics, graph.statistics);
  read_items(in, "nodes", 14, kMaxNodes, read_node, graph.nodes);
  if (auto status = in.finish(); !status) return status.error().within("model file");
  if (auto status = verify(graph); !status) return status.error().within("model file");
  return graph;
}

}  // namespace cairn::model
