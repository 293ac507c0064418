#include "onnx/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "base/file.h"
#include "onnx/testing.h"

namespace cairn::onnx {
namespace {

using ::testing::HasSubstr;

class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path file(BytesView bytes) {
    const std::filesystem::path path = folder_ / "model.onnx";
    EXPECT_TRUE(write_file(path, bytes).ok());
    return path;
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("cairn-sandbox-test-" + std::to_string(::getpid()));
};

TEST_F(Sandbox, GivesWhatTheImportInThisProcessGives) {
  for (const char* name : {"mlp.onnx", "lenet.onnx", "resnet8.onnx"}) {
    const auto direct = import_onnx(testing::read_golden(name), name).value();
    const auto forked = import_onnx_file(testing::golden_path(name));
    ASSERT_TRUE(forked.ok()) << forked.error().message;
    EXPECT_TRUE(forked->graph == direct.graph);
    EXPECT_EQ(forked->parameters, direct.parameters);
    EXPECT_EQ(forked->statistics, direct.statistics);
  }
}

TEST_F(Sandbox, RefusalsArriveWithTheNameOfTheFile) {
  const auto path = file(as_bytes("no model"));
  EXPECT_TRUE(import_onnx_file(path).error().message.starts_with(path.string() + ": "));
  EXPECT_THAT(import_onnx_file(folder_ / "absent").error().message, HasSubstr("absent: cannot be opened"));
  EXPECT_THAT(import_onnx_file(folder_).error().message, HasSubstr("is no file"));
  EXPECT_THAT(import_onnx_file("/dev/null").error().message, HasSubstr("is no file"));
}

// Two bytes of file for each attribute of more than a hundred bytes in memory, of one node: nodes are counted
// before.
TEST_F(Sandbox, AFileThatUnpacksBeyondTheMemoryLimitIsOneError) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more address space than the limit allows, so it is off";
#endif
  constexpr size_t kAttributes = 10'000'000;
  Bytes bytes = {0x3a, 0x85, 0xda, 0xc4, 0x09,   // ModelProto.graph, 20,000,005 bytes
                 0x0a, 0x80, 0xda, 0xc4, 0x09};  // GraphProto.node, 20,000,000 bytes
  for (size_t i = 0; i < kAttributes; ++i) bytes.insert(bytes.end(), {0x2a, 0x00});  // empty attribute
  const auto path = file(bytes);
  EXPECT_THAT(import_onnx_file(path).error().message, HasSubstr("reached its limit of memory or time"));
}

TEST_F(Sandbox, LeavesTheCallersDescriptorsAndLimitsAlone) {
  const auto count = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = count();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(import_onnx_file(testing::golden_path("linear.onnx")).ok());
  EXPECT_EQ(count(), before);
  EXPECT_TRUE(write_file(folder_ / "still-writable", as_bytes("yes")).ok());
}

TEST(SandboxAnswer, SurvivesThePipe) {
  const auto model = import_onnx(testing::read_golden("resnet8.onnx"), "r").value();
  const auto decoded = decode_answer(encode_answer(model));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_TRUE(decoded->graph == model.graph);
  EXPECT_EQ(decoded->parameters, model.parameters);
  EXPECT_EQ(decode_answer(encode_answer(Error{"a: wrong"})).error().message, "a: wrong");
  EXPECT_EQ(decode_answer(encode_answer(Error{"a\x1b"})).error().message, "a?");
}

// The child may have been taken over by the file: its answer is judged like any input.
TEST(SandboxAnswer, RefusesWhatIsDamaged) {
  const Bytes bytes = encode_answer(import_onnx(testing::read_golden("linear.onnx"), "l").value());
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_answer(BytesView(bytes).first(size)).ok());
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode_answer(longer).ok());
  Bytes infinite = bytes;
  std::fill(infinite.end() - 2, infinite.end(), uint8_t{0xff});
  EXPECT_THAT(decode_answer(infinite).error().message, HasSubstr("not finite"));
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    Bytes damaged = bytes;
    damaged[random() % std::min<size_t>(damaged.size(), 400)] = static_cast<uint8_t>(random());
    const auto decoded = decode_answer(damaged);
    if (decoded) {
      EXPECT_TRUE(model::verify(decoded->graph).ok());
    }
  }
}

}  // namespace
}  // namespace cairn::onnx
