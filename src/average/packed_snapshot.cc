#include "average/packed_snapshot.h"

#include <zstd.h>

#include <bit>

namespace cairn::average {
namespace {

constexpr std::string_view kMagic = "cairn packed parameters";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kMaxParameters = uint32_t{1} << 28;
constexpr size_t kMaxHead = 4 + kMagic.size() + 4 + 4 + 1 + sizeof(Digest::bytes);
constexpr int kCompressionLevel = 1;  // the lowest bytes are noise, the highest nearly all zero
constexpr size_t kPlanes = sizeof(uint32_t);

// Numbers in their order as integers in theirs, +0 being 2^31.
uint32_t ordered(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

float from_ordered(uint32_t order) {
  return std::bit_cast<float>((order >> 31) != 0 ? order & 0x7fffffffu : ~order);
}

// Small differences of either sign become small numbers.
uint32_t zigzag(uint32_t difference) {
  return (difference << 1) ^ (0u - (difference >> 31));
}

uint32_t from_zigzag(uint32_t word) {
  return (word >> 1) ^ (0u - (word & 1));
}

// The highest bytes of all words, then the next ones.
Bytes planes_of(std::span<const float> base, std::span<const float> parameters) {
  const size_t count = parameters.size();
  Bytes planes(kPlanes * count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t word = zigzag(ordered(parameters[i]) - ordered(base.empty() ? 0.0f : base[i]));
    for (size_t p = 0; p < kPlanes; ++p) planes[p * count + i] = static_cast<uint8_t>(word >> (24 - 8 * p));
  }
  return planes;
}

void lay_upon(BytesView planes, std::span<float> parameters) {
  const size_t count = parameters.size();
  for (size_t i = 0; i < count; ++i) {
    uint32_t word = 0;
    for (size_t p = 0; p < kPlanes; ++p) word = word << 8 | planes[p * count + i];
    parameters[i] = from_ordered(ordered(parameters[i]) + from_zigzag(word));
  }
}

Bytes packed(const PackedHead& head, BytesView planes) {
  ByteWriter out;
  out.string(kMagic);
  out.u32(kVersion);
  out.u32(head.count);
  out.u8(head.base ? 1 : 0);
  if (head.base) out.raw(head.base->bytes);
  Bytes bytes = out.take();
  const size_t begin = bytes.size();
  bytes.resize(begin + ZSTD_compressBound(planes.size()));
  const size_t size = ZSTD_compress(bytes.data() + begin, bytes.size() - begin, planes.data(), planes.size(),
                                    kCompressionLevel);
  CAIRN_ASSERT(!ZSTD_isError(size));  // there is room for whatever it makes
  bytes.resize(begin + size);
  bytes.shrink_to_fit();
  return bytes;
}

PackedHead read_head(ByteReader& in) {
  if (in.string("magic", kMagic.size()) != kMagic) in.fail("magic", "this is no packed snapshot");
  if (const uint32_t version = in.u32("version"); version != kVersion)
    in.fail("version", std::to_string(version) + " where 1 is known");
  PackedHead head;
  head.count = in.u32("count");
  if (head.count > kMaxParameters) in.fail("count", "is over 2^28");
  const uint8_t has_base = in.u8("has base");
  if (has_base > 1) in.fail("has base", "is neither 0 nor 1");
  if (has_base == 1) head.base = Digest{in.array<sizeof(Digest::bytes)>("base")};
  return head;
}

// One frame that states its size and ends where the bytes do.
Result<Bytes> decompress(BytesView frame, uint64_t size) {
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != size)
    return Error{"words: no Zstandard frame that states the size of all words"};
  const size_t length = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(length) || length != frame.size()) return Error{"words: do not end where the file does"};
  Bytes bytes(size);
  const size_t done = ZSTD_decompress(bytes.data(), bytes.size(), frame.data(), frame.size());
  if (ZSTD_isError(done) || done != size) return Error{"words: are damaged"};
  return bytes;
}

}  // namespace

Bytes pack(std::span<const float> parameters) {
  CAIRN_ASSERT(parameters.size() <= kMaxParameters);
  return packed({static_cast<uint32_t>(parameters.size()), {}}, planes_of({}, parameters));
}

Bytes pack_change(const Digest& base_digest, std::span<const float> base, std::span<const float> parameters) {
  CAIRN_ASSERT(parameters.size() <= kMaxParameters && base.size() == parameters.size());
  return packed({static_cast<uint32_t>(parameters.size()), base_digest}, planes_of(base, parameters));
}

uint64_t packed_size_limit(uint64_t count) {
  return kMaxHead + ZSTD_compressBound(kPlanes * count);
}

Result<PackedHead> read_packed_head(BytesView bytes) {
  ByteReader in(bytes);
  const PackedHead head = read_head(in);
  CAIRN_CHECK(in.status());
  return head;
}

Status unpack(BytesView bytes, uint64_t count, std::vector<float>& parameters) {
  ByteReader in(bytes);
  const PackedHead head = read_head(in);
  CAIRN_CHECK(in.status());
  if (head.count != count) {
    return Error{"count: " + std::to_string(head.count) + " parameters where " + std::to_string(count) +
                 " are expected"};
  }
  if (!head.base) parameters.assign(count, 0.0f);
  if (parameters.size() != count) return Error{"base: has another number of parameters"};
  CAIRN_TRY(const Bytes planes, decompress(in.raw("words", in.remaining()), kPlanes * count));
  lay_upon(planes, parameters);
  return {};
}

}  // namespace cairn::average
