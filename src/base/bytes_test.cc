#include "base/bytes.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Bytes, RoundTrip) {
  ByteWriter writer;
  writer.u8(7);
  writer.u16(0x1234);
  writer.u64(0x0102030405060708);
  writer.i32(-5);
  writer.f32(-0.5f);
  writer.string("cairn");

  ByteReader reader(writer.bytes());
  EXPECT_EQ(reader.u8("a"), 7);
  EXPECT_EQ(reader.u16("b"), 0x1234);
  EXPECT_EQ(reader.u64("c"), 0x0102030405060708u);
  EXPECT_EQ(reader.i32("d"), -5);
  EXPECT_EQ(reader.f32("e"), -0.5f);
  EXPECT_EQ(reader.string("f", 5), "cairn");
  EXPECT_TRUE(reader.finish());
}

TEST(Bytes, IntegersAreLittleEndian) {
  ByteWriter writer;
  writer.u32(0x01020304);
  EXPECT_EQ(to_hex(writer.bytes()), "04030201");
}

TEST(Bytes, TheFirstFailureSticksAndNamesItsField) {
  const Bytes bytes = {1, 2, 3};
  ByteReader reader(bytes);
  reader.u16("first");
  reader.u32("second");
  EXPECT_EQ(reader.u8("third"), 0);
  ASSERT_FALSE(reader.finish());
  EXPECT_EQ(reader.finish().error().message, "second: the input ends too early");
}

TEST(Bytes, ACountBeyondTheInputIsRefusedBeforeAnythingIsAllocated) {
  ByteWriter writer;
  writer.u32(1'000'000);
  ByteReader reader(writer.bytes());
  EXPECT_EQ(reader.count("items", 4, UINT32_MAX), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, TrailingBytesAreRefused) {
  const Bytes bytes = {1, 2};
  ByteReader reader(bytes);
  reader.u8("a");
  ASSERT_FALSE(reader.finish());
  EXPECT_EQ(reader.finish().error().message, "end: 1 bytes too many");
}

TEST(Bytes, Hex) {
  EXPECT_EQ(to_hex(*from_hex("00ff7a")), "00ff7a");
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0G"));
  EXPECT_FALSE(from_hex("FF"));
}

}  // namespace
}  // namespace cairn
