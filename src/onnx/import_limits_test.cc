// Hostile and broken files as the program reads them: refused within a second of the processor's time and 256
// MiB, with the node's name and what was expected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "onnx/sandbox.h"
#include "onnx/testing.h"

namespace cairn::onnx {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ModelMaker;
using testing::set;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasures = false;  // sanitizers take memory and time of their own
#else
constexpr bool kMeasures = true;
#endif

struct Measured {
  double seconds = 0, mebibytes = 0;
  char error[4000] = {};
};

// In a process of its own, whose only child is the importer's: so what was used is the importer's.
Measured import_measured(const std::filesystem::path& path) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Measured measured;
    const auto result = import_onnx_file(path);
    const std::string error = result ? "no error" : result.error().message;
    error.copy(measured.error, sizeof measured.error - 1);
    struct rusage usage {};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    measured.seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    measured.mebibytes = static_cast<double>(usage.ru_maxrss) / 1024;
    const bool written = ::write(ends[1], &measured, sizeof measured) == sizeof measured;
    ::_exit(written ? 0 : 1);
  }
  Measured measured;
  EXPECT_EQ(::read(ends[0], &measured, sizeof measured), static_cast<ssize_t>(sizeof measured));
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  return measured;
}

class ImportLimits : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string refused(const Bytes& bytes) {
    EXPECT_TRUE(write_file(folder_ / "m.onnx", bytes).ok());
    const Measured measured = import_measured(folder_ / "m.onnx");
    if (kMeasures) {
      EXPECT_LE(measured.seconds, 1.0) << measured.error;
      EXPECT_LE(measured.mebibytes, 256.0) << measured.error;
      std::printf("%.3f s, %.0f MiB: %.100s\n", measured.seconds, measured.mebibytes, measured.error);
    }
    return measured.error;
  }
  std::string refused(const ModelMaker& maker) { return refused(maker.bytes()); }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("cairn-limits-test-" + std::to_string(::getpid()));
};

void append_varint(Bytes& bytes, uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<uint8_t>(value | 0x80));
  bytes.push_back(static_cast<uint8_t>(value));
}

// A chain of a million Relu nodes, put together by hand so that the test itself needs little memory.
TEST_F(ImportLimits, AMillionNodes) {
  Bytes graph;
  for (int i = 0; i < 1'000'000; ++i) {
    ::onnx::NodeProto node;
    node.add_input(std::to_string(i));
    node.add_output(std::to_string(i + 1));
    node.set_name("a node with a name of ordinary length " + std::to_string(i));
    node.set_op_type("Relu");
    const std::string text = node.SerializeAsString();
    graph.push_back(0x0a);  // GraphProto.node
    append_varint(graph, text.size());
    graph.insert(graph.end(), text.begin(), text.end());
  }
  Bytes bytes = {0x08, 0x08, 0x3a};  // IR version 8, ModelProto.graph
  append_varint(bytes, graph.size());
  bytes.insert(bytes.end(), graph.begin(), graph.end());
  graph = Bytes();
  EXPECT_THAT(refused(bytes), HasSubstr("m.onnx: has 1000000 nodes; the limit is 32768"));
}

TEST_F(ImportLimits, AbsurdShapes) {
  ModelMaker weight({0, 6});
  auto& tensor = weight.weight("w", {6, 5});
  tensor.set_dims(0, int64_t{1} << 40);
  weight.node("MatMul", {"x", "w"}, "y");
  EXPECT_THAT(refused(weight), HasSubstr("initializer 'w' has dimensions that are negative or too large"));
  ModelMaker input({0, int64_t{1} << 30, 1 << 20, 1 << 20});
  input.node("Relu", {"x"}, "y");
  EXPECT_THAT(refused(input), HasSubstr("input 'x' is too large"));
  ModelMaker batch({INT64_MAX, 6});
  batch.integers("target", {-1, 3});
  batch.node("Reshape", {"x", "target"}, "y");
  EXPECT_THAT(refused(batch),
              HasSubstr("input 'x' fixes a batch of 9223372036854775807; the limit is 1048576"));
  ModelMaker grows({0, 1, 1 << 15, 1});
  grows.integers("target", {1, 1, 1 << 15, 1 << 20});
  grows.node("Expand", {"x", "target"}, "y");
  EXPECT_THAT(refused(grows), HasSubstr("node 'make_y' (Expand): the output's shape is beyond the limits"));
  ModelMaker pads({0, 1, 1 << 15, 1 << 15});
  pads.integers("pads", {0, 0, 65536, 65536, 0, 0, 65536, 65536});
  pads.node("Pad", {"x", "pads"}, "p");
  pads.node("Relu", {"p"}, "y");
  EXPECT_THAT(refused(pads), HasSubstr("the output's shape is beyond the limits"));
  ModelMaker constants({0, 6});
  constants.integers("size", {1 << 20, 1 << 20});
  constants.node("ConstantOfShape", {"size"}, "c");
  constants.node("Add", {"x", "c"}, "y");
  EXPECT_THAT(refused(constants),
              HasSubstr("node 'make_c' (ConstantOfShape): makes an empty constant or one of more"));
}

TEST_F(ImportLimits, CyclesAndMissingInitializers) {
  ModelMaker cycle({0, 6});
  cycle.node("Add", {"x", "b"}, "a");
  cycle.node("Relu", {"a"}, "b");
  cycle.node("Relu", {"b"}, "y");
  EXPECT_THAT(refused(cycle),
              HasSubstr("node 'make_a' (Add): input 'b' is neither a stored weight nor the output of"));
  ModelMaker missing({0, 3, 8, 8});
  missing.node("Conv", {"x", "w"}, "y");
  EXPECT_THAT(refused(missing), HasSubstr("node 'make_y' (Conv): input 'w' is neither a stored weight"));
}

TEST_F(ImportLimits, WrongTypes) {
  ModelMaker half({0, 6});
  half.weight("w", {6, 5}).set_data_type(::onnx::TensorProto::FLOAT16);
  half.node("MatMul", {"x", "w"}, "y");
  EXPECT_THAT(refused(half), HasSubstr("initializer 'w' has element type 10; export the model with 32-bit"));
  ModelMaker integers({0, 3, 8, 8});
  integers.integers("w", {1, 2, 3});
  integers.node("Conv", {"x", "w"}, "y");
  EXPECT_THAT(refused(integers),
              HasSubstr("node 'make_y' (Conv): input 'w' is a constant of integers; expected a weight"));
  ModelMaker text({0, 6});
  text.proto().mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      ::onnx::TensorProto::STRING);
  text.node("Relu", {"x"}, "y");
  EXPECT_THAT(refused(text),
              HasSubstr("input 'x' must be a tensor of 32-bit floating-point numbers, or of integers"));
  ModelMaker attribute({0, 6});
  set(attribute.node("LeakyRelu", {"x"}, "y"), "alpha", std::string("much"));
  EXPECT_THAT(refused(attribute), AllOf(HasSubstr("node 'make_y' (LeakyRelu): "), HasSubstr("alpha")));
}

TEST_F(ImportLimits, DynamicShapesThatDoNotResolve) {
  ModelMaker open({0, 3, 0, 0});
  open.node("Relu", {"x"}, "y");
  EXPECT_THAT(refused(open),
              HasSubstr("input 'x': dimension 2 must have a fixed size; only the batch may vary"));
  ModelMaker batch({0, 6});
  batch.integers("0", {0}).clear_dims();
  batch.integers("1", {1}).clear_dims();
  batch.node("Shape", {"x"}, "shape");
  batch.node("Gather", {"shape", "0"}, "size");
  batch.node("Range", {"0", "size", "1"}, "range");
  batch.node("Relu", {"x"}, "y");
  EXPECT_THAT(refused(batch), HasSubstr("node 'make_range' (Range): input 'size' must be constant"));
  ModelMaker computed({0, 6});
  computed.node("Reshape", {"x", "x"}, "y");
  EXPECT_THAT(refused(computed),
              HasSubstr("node 'make_y' (Reshape): input 'x' is a value computed from the model's input; "
                        "expected constant integers"));
}

TEST_F(ImportLimits, OperatorsOutsideTheTable) {
  ModelMaker unknown({0, 6, 6});
  unknown.node("Det", {"x"}, "y");
  EXPECT_THAT(refused(unknown),
              HasSubstr("node 'make_y' (Det): the operator is not supported; supported are Abs, Add"));
  ModelMaker loop({0, 6});
  loop.node("Loop", {"x"}, "y").add_attribute()->set_name("body");
  EXPECT_THAT(refused(loop), HasSubstr("node 'make_y' (Loop): the operator is not supported"));
}

// The largest chain that passes, of nodes that each make a constant besides.
TEST_F(ImportLimits, AsManyNodesAsAllowedAreReadInTime) {
  ModelMaker maker({0, 6});
  std::string last = "x";
  for (uint32_t i = 0; i < model::kMaxNodes; ++i) {
    const std::string next = i + 1 == model::kMaxNodes ? "y" : "v" + std::to_string(i);
    maker.node("Relu", {last}, next);
    last = next;
  }
  EXPECT_EQ(refused(maker), "no error");
}

}  // namespace
}  // namespace cairn::onnx
