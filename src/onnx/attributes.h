// Typed access to the attributes of an ONNX node.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "onnx/proto.h"

namespace cairn::onnx {

// Reads each attribute that a converter knows, with its default. The first failure sticks (later reads give
// defaults) and finish() reports it, or else the first attribute that nobody asked for.
class AttributeReader {
 public:
  explicit AttributeReader(const ::onnx::NodeProto& node);

  bool has(const char* name) const;
  int64_t integer(const char* name, int64_t absent);
  float real(const char* name, float absent);
  std::string text(const char* name, const std::string& absent);
  std::vector<int64_t> integers(const char* name, std::vector<int64_t> absent);
  const ::onnx::TensorProto* tensor(const char* name);  // null where absent
  void ignore(const char* name) { asked_.insert(name); }

  void fail(const std::string& reason);
  Status finish() const;

 private:
  const ::onnx::AttributeProto* find(const char* name, ::onnx::AttributeProto::AttributeType type);

  const ::onnx::NodeProto& node_;
  std::set<std::string> asked_;
  std::string error_;
};

}  // namespace cairn::onnx
