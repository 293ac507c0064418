// ONNX's protobuf messages, and how names from a foreign file are told in messages of ours.
#pragma once

#include <onnx/onnx.pb.h>

#include <string>
#include <string_view>

namespace cairn::onnx {

// Text from outside as it may reach a terminal: other characters than printable ASCII become '?'.
std::string printable(std::string_view text, size_t max_size = 120);

// A printable name in quotes.
std::string quoted(std::string_view name);

// The node's name or, where the exporter left it out, that of its first output.
std::string name_of(const ::onnx::NodeProto& node);

// "node 'conv1' (Conv)".
std::string place_of(const ::onnx::NodeProto& node);

}  // namespace cairn::onnx
