#include "weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace cairn::weights {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Bytes file_of(const std::string& header, const Bytes& data = {}) {
  ByteWriter out;
  out.u64(header.size());
  out.raw(as_bytes(header));
  out.raw(data);
  return out.take();
}

std::string refusal(const std::string& header, const Bytes& data = {}) {
  const auto result = read_safetensors(file_of(header, data));
  return result ? "taken" : result.error().message;
}

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST(Safetensors, ReadsWhatItWrote) {
  const Bytes weight = bytes_of<float>({1, -2.5f, 3, 4, 5, 6}), counter(8, 0);
  const Bytes file = encode_safetensors({{"w \"quoted\"", Element::f32, {2, 3}, weight},
                                         {"n", Element::i64, {}, counter},
                                         {"ü", Element::f32, {1}, BytesView(weight).first(4)}});
  const auto tensors = read_safetensors(file);
  ASSERT_TRUE(tensors.ok()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "n");  // of the largest elements, so that all are aligned
  EXPECT_EQ((*tensors)[0].type, "I64");
  EXPECT_EQ((*tensors)[1].name, "w \"quoted\"");
  EXPECT_THAT((*tensors)[1].shape, ElementsAre(2, 3));
  EXPECT_THAT(numbers_of((*tensors)[1]).value(), ElementsAre(1, -2.5f, 3, 4, 5, 6));
  EXPECT_EQ((*tensors)[2].name, "ü");
  EXPECT_EQ(((*tensors)[0].bytes.data() - file.data()) % 8, 0);
}

// As the format's own examples have it.
TEST(Safetensors, WritesTheFormat) {
  const Bytes numbers(8, 0);
  const Bytes file = encode_safetensors({{"a", Element::f32, {2}, numbers}});
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string text(file.begin() + 8, file.end());
  EXPECT_TRUE(text.starts_with(header)) << text;
  EXPECT_EQ((file.size() - 8 - 8) % 8, 0u);
}

TEST(Safetensors, ReadsHalvesAndDoubles) {
  const auto read = [](const std::string& type, const Bytes& data, size_t count) {
    const std::string end = std::to_string(data.size());
    const Bytes file = file_of(R"({"x":{"dtype":")" + type + R"(","shape":[)" + std::to_string(count) +
                                   R"(],"data_offsets":[0,)" + end + "]}}",
                               data);
    return numbers_of(read_safetensors(file).value()[0]);
  };
  EXPECT_THAT(read("F16", bytes_of<uint16_t>({0x3c00, 0xc000, 1, 0x7bff, 0x8000, 0x0400}), 6).value(),
              ElementsAre(1.0f, -2.0f, 0x1p-24f, 65504.0f, -0.0f, 0x1p-14f));
  EXPECT_THAT(read("BF16", bytes_of<uint16_t>({0x3f80, 0xc020}), 2).value(), ElementsAre(1.0f, -2.5f));
  EXPECT_THAT(read("F64", bytes_of<double>({0.1, -1}), 2).value(), ElementsAre(0.1f, -1.0f));
  EXPECT_THAT(read("F64", bytes_of<double>({1e300}), 1).error().message, HasSubstr("not finite"));
  EXPECT_THAT(read("F16", bytes_of<uint16_t>({0x7c00}), 1).error().message, HasSubstr("not finite"));
  EXPECT_THAT(read("I32", Bytes(4), 1).error().message, HasSubstr("I32"));
}

TEST(Safetensors, RefusesWhatIsNotTheFormat) {
  const Bytes four(4, 0);
  EXPECT_EQ(refusal(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four), "taken");
  EXPECT_EQ(refusal(R"({"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   )", four), "taken");
  EXPECT_EQ(refusal("{}"), "taken");
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "no JSON object"},
      {"{", "no JSON object"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{}})", "'x' twice"},
      {R"({"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "'dtype' twice"},
      {R"({"x":{"dtype":"F32","shape":[1]}})", "not exactly the fields"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", "not exactly the fields"},
      {R"({"x":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", "not known"},
      {R"({"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "shape is no list"},
      {R"({"x":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", "shape is no list"},
      {R"({"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", "shape is no list"},
      {R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", "overflows"},
      {R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "does not fit its data_offsets"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "begins and ends"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "leaves a gap"},
      {R"({"x":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", "belong to no tensor"},
      {R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "name is empty"},
      {R"({"__metadata__":{"a":1}})", "__metadata__"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})",
       "overlaps"}};
  for (const auto& [header, what] : cases) EXPECT_THAT(refusal(header, four), HasSubstr(what)) << header;
  ByteWriter huge;
  huge.u64(uint64_t{1} << 62);
  EXPECT_THAT(read_safetensors(huge.bytes()).error().message, HasSubstr("header length"));
}

TEST(Safetensors, RefusesEveryTruncationAndSurvivesEveryFlippedBit) {
  const Bytes numbers(12, 0);
  const Bytes file =
      encode_safetensors({{"a", Element::f32, {3}, numbers}, {"b", Element::f32, {1, 3}, numbers}});
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_FALSE(read_safetensors(BytesView(file).first(size))) << size;
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    Bytes damaged = file;
    damaged[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    const auto tensors = read_safetensors(damaged);
    if (!tensors) continue;
    for (const StoredTensor& tensor : *tensors) std::ignore = numbers_of(tensor).ok();
  }
}

}  // namespace
}  // namespace cairn::weights
