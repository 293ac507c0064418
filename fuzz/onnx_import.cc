// Whatever the bytes are, the importer refuses them or gives a graph that all else accepts.
#include "onnx/export.h"
#include "onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  const auto imported = onnx::import_onnx({data, size}, "fuzz");
  if (!imported) {
    CAIRN_ASSERT(imported.error().message.starts_with("fuzz: "));
    return 0;
  }
  CAIRN_ASSERT(model::verify(imported->graph).ok());
  CAIRN_ASSERT(imported->parameters.size() == model::parameter_count(imported->graph));
  CAIRN_ASSERT(imported->statistics.size() == onnx::statistics_count(imported->graph));
  const auto exported = onnx::export_onnx(imported->graph, imported->parameters, imported->statistics);
  CAIRN_ASSERT(exported.ok());
  const auto again = onnx::import_onnx(*exported, "exported");
  CAIRN_ASSERT(again.ok() && again->graph.nodes == imported->graph.nodes);
  return 0;
}
