#include "onnx/proto.h"

namespace cairn::onnx {

std::string printable(std::string_view text, size_t max_size) {
  std::string result;
  for (const char c : text.substr(0, max_size)) result += (c >= ' ' && c <= '~') ? c : '?';
  return text.size() > max_size ? result + "..." : result;
}

std::string quoted(std::string_view name) {
  return std::string(1, '\'').append(printable(name)).append(1, '\'');
}

std::string name_of(const ::onnx::NodeProto& node) {
  return node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
}

std::string place_of(const ::onnx::NodeProto& node) {
  return "node " + quoted(name_of(node)) + " (" + printable(node.op_type()) + ")";
}

}  // namespace cairn::onnx
