#include "onnx/attributes.h"

namespace cairn::onnx {

using ::onnx::AttributeProto;

AttributeReader::AttributeReader(const ::onnx::NodeProto& node) : node_(node) {
  std::set<std::string> names;
  for (const AttributeProto& attribute : node.attribute()) {
    const std::string place = "attribute " + quoted(attribute.name());
    if (!names.insert(attribute.name()).second) fail(place + " is given twice");
    if (attribute.has_g() || attribute.graphs_size() > 0)
      fail(place + " holds a subgraph, which is not supported");
    if (attribute.has_ref_attr_name()) fail(place + " refers to a function's, which is not supported");
  }
}

bool AttributeReader::has(const char* name) const {
  for (const AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() == name) return true;
  }
  return false;
}

const AttributeProto* AttributeReader::find(const char* name, AttributeProto::AttributeType type) {
  asked_.insert(name);
  for (const AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() != name) continue;
    if (attribute.type() == type) return &attribute;
    fail("attribute '" + std::string(name) + "' has the wrong type");
    return nullptr;
  }
  return nullptr;
}

int64_t AttributeReader::integer(const char* name, int64_t absent) {
  const AttributeProto* attribute = find(name, AttributeProto::INT);
  return attribute ? attribute->i() : absent;
}

float AttributeReader::real(const char* name, float absent) {
  const AttributeProto* attribute = find(name, AttributeProto::FLOAT);
  return attribute ? attribute->f() : absent;
}

std::string AttributeReader::text(const char* name, const std::string& absent) {
  const AttributeProto* attribute = find(name, AttributeProto::STRING);
  return attribute ? attribute->s() : absent;
}

std::vector<int64_t> AttributeReader::integers(const char* name, std::vector<int64_t> absent) {
  const AttributeProto* attribute = find(name, AttributeProto::INTS);
  if (!attribute) return absent;
  return {attribute->ints().begin(), attribute->ints().end()};
}

const ::onnx::TensorProto* AttributeReader::tensor(const char* name) {
  const AttributeProto* attribute = find(name, AttributeProto::TENSOR);
  return attribute ? &attribute->t() : nullptr;
}

void AttributeReader::fail(const std::string& reason) {
  if (error_.empty()) error_ = reason;
}

Status AttributeReader::finish() const {
  if (!error_.empty()) return Error{error_};
  for (const AttributeProto& attribute : node_.attribute()) {
    if (!asked_.contains(attribute.name())) {
      return Error{"attribute " + quoted(attribute.name()) + " is not supported"};
    }
  }
  return {};
}

}  // namespace cairn::onnx
