#include "weights/pytorch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"

namespace cairn::weights {
namespace {

using ::testing::HasSubstr;

std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(PyTorchFile, HasTheEntriesThatTorchLoadLooksFor) {
  const Bytes numbers(24, 1);
  const Bytes file = encode_pytorch({{"w", Element::f32, {2, 3}, numbers}}).value();
  for (const char* name : {"archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/version"})
    EXPECT_THAT(text_of(file), HasSubstr(name));
}

TEST(PyTorchFile, KeepsTheNumbersAtMultiplesOf64) {
  const Bytes numbers = to_bytes("numbers that are not anywhere else..");
  for (size_t name = 1; name < 40; ++name) {
    const Bytes file = encode_pytorch({{std::string(name, 'n'), Element::f32, {9}, numbers}}).value();
    EXPECT_EQ(text_of(file).find(text_of(numbers)) % 64, 0u);
  }
}

// The pickle of one tensor, operation by operation.
TEST(PyTorchFile, PicklesATensorAsTorchSaveDoes) {
  const Bytes numbers(24, 1);
  const std::string file = text_of(encode_pytorch({{"w", Element::f32, {2, 3}, numbers}}).value());
  using namespace std::string_literals;
  const std::string number0 = "J\0\0\0\0"s, number1 = "J\1\0\0\0"s, number2 = "J\2\0\0\0"s,
                    number3 = "J\3\0\0\0"s, number6 = "J\6\0\0\0"s;
  const std::string dictionary = "ccollections\nOrderedDict\n)R";
  const std::string storage =
      "(X\7\0\0\0storage"s + "ctorch\nFloatStorage\n" + "X\1\0\0\0"s + "0" + "X\3\0\0\0cpu"s + number6 + "tQ";
  const std::string expected = "\x80\2"s + dictionary + "(" + "X\1\0\0\0w"s +
                               "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number0 + "(" + number2 +
                               number3 + "t" + "(" + number3 + number1 + "t" + "\x89" + dictionary + "tR" +
                               "u.";
  EXPECT_THAT(file, HasSubstr(expected));
}

TEST(PyTorchFile, OfNothingIsAnEmptyDictionary) {
  EXPECT_TRUE(encode_pytorch({}).ok());
}

TEST(PyTorchFile, RefusesMoreTensorsThanAnArchiveHolds) {
  const std::vector<Tensor> tensors(65533);
  EXPECT_THAT(encode_pytorch(tensors).error().message, HasSubstr("does not fit"));
}

}  // namespace
}  // namespace cairn::weights
