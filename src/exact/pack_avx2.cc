#include "exact/pack_avx2.h"

#include <immintrin.h>

namespace cairn::exact::avx2 {
namespace {

constexpr int kLanes = 8;  // 32-bit lanes of a vector

__m256i load(const int16_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// Up to 16 integers, zeros after them; reads nothing beyond.
__m256i load_some(const int16_t* from, int64_t count) {
  if (count >= 2 * kLanes) return load(from);
  alignas(32) int16_t padded[2 * kLanes] = {};
  for (int64_t i = 0; i < count; ++i) padded[i] = from[i];
  return load(padded);
}

// The first `lanes` 32-bit lanes (an even number); writes nothing beyond.
void store_some(__m256i v, int lanes, int16_t* to) {
  if (lanes >= kLanes) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v);
  alignas(32) int16_t all[2 * kLanes];
  _mm256_store_si256(reinterpret_cast<__m256i*>(all), v);
  for (int i = 0; i < 2 * lanes; ++i) to[i] = all[i];
}

// The transpose of an 8 x 8 matrix of 32-bit values.
void transpose(__m256i v[kLanes]) {
  __m256i t[kLanes];
  for (int i = 0; i < kLanes; i += 2) {
    t[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
    t[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
  }
  for (int i = 0; i < kLanes; i += 4) {
    v[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
    v[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
    v[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
    v[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x20);
    t[i + 4] = _mm256_permute2x128_si256(v[i], v[i + 4], 0x31);
  }
  for (int i = 0; i < kLanes; ++i) v[i] = t[i];
}

void copy_strided(const int16_t* from, int64_t step, int count, int16_t* to) {
  int i = 0;
  if (step == 1) {
    for (; i + 8 <= count; i += 8) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
    }
  }
  for (; i < count; ++i) to[i] = from[i * step];
}

}  // namespace

void gather(const Strip* strips, int64_t count, int64_t step, const int16_t* channel, int64_t next,
            int16_t* out) {
  for (const Strip* strip = strips; strip < strips + count; ++strip) {
    _mm_prefetch(reinterpret_cast<const char*>(channel + strip->source + next), _MM_HINT_T0);
    auto* to = reinterpret_cast<__m256i*>(out + strip->out);
    _mm256_storeu_si256(to, _mm256_setzero_si256());
    _mm256_storeu_si256(to + 1, _mm256_setzero_si256());
    if (strip->valid == 0) continue;
    const int first = __builtin_ctz(strip->valid), last = 32 - __builtin_clz(strip->valid);
    copy_strided(channel + strip->source + first * step, step, last - first, out + strip->out + first);
  }
}

void pack_lanes(const int16_t* const* sources, int lanes, int width, int64_t k, int16_t* panel) {
  constexpr int64_t kSteps = 2 * kLanes;
  for (int64_t step = 0; step < k; step += kSteps) {
    const int64_t steps = k - step < kSteps ? k - step : kSteps;
    const int pairs = static_cast<int>((steps + 1) / 2);
    for (int first = 0; first < width; first += kLanes) {
      __m256i v[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        v[i] = first + i < lanes ? load_some(sources[first + i] + step, steps) : _mm256_setzero_si256();
      }
      transpose(v);
      int16_t* out = panel + (step / 2 * width + first) * 2;
      for (int pair = 0; pair < pairs; ++pair) store_some(v[pair], width - first, out + pair * width * 2);
    }
  }
}

void pack_steps(const int16_t* const* sources, int64_t offset, int lanes, int width, int64_t pairs,
                int16_t* panel) {
  for (int64_t pair = 0; pair < pairs; ++pair) {
    for (int first = 0; first < width; first += 2 * kLanes) {
      const int held = lanes - first;
      const __m256i even = load_some(sources[2 * pair] + offset + first, held);
      const __m256i odd = load_some(sources[2 * pair + 1] + offset + first, held);
      const __m256i low = _mm256_unpacklo_epi16(even, odd);
      const __m256i high = _mm256_unpackhi_epi16(even, odd);
      int16_t* out = panel + (pair * width + first) * 2;
      store_some(_mm256_permute2x128_si256(low, high, 0x20), width - first, out);
      if (width - first > kLanes) {
        store_some(_mm256_permute2x128_si256(low, high, 0x31), width - first - kLanes, out + 2 * kLanes);
      }
    }
  }
}

// The panel is read as one stream of pairs, in which the lanes repeat every three vectors at most.
PanelSquares measure(const int16_t* panel, int width, int64_t pairs) {
  constexpr int kDropped = 8;  // low bits rounded up, so that 128 pairs fit 32 bits
  const int period = width == 6 ? 3 : (width == 16 ? 2 : 1);
  const __m256i up = _mm256_set1_epi32((1 << kDropped) - 1);
  __m256i sums[3] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i largest = _mm256_setzero_si256();
  const int64_t count = pairs * width;
  int64_t position = 0;
  while (position < count) {
    for (int i = 0; i < period && position < count; ++i, position += kLanes) {
      const __m256i v = load_some(panel + 2 * position, 2 * (count - position));
      const __m256i squares = _mm256_madd_epi16(v, v);
      largest = _mm256_max_epu32(largest, squares);
      sums[i] = _mm256_add_epi32(sums[i], _mm256_srli_epi32(_mm256_add_epi32(squares, up), kDropped));
    }
  }
  alignas(32) uint32_t lane_sums[3 * kLanes];
  for (int i = 0; i < 3; ++i) _mm256_store_si256(reinterpret_cast<__m256i*>(lane_sums + i * kLanes), sums[i]);
  alignas(32) uint32_t lane_pairs[kLanes];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lane_pairs), largest);
  uint64_t most = 0;
  for (int lane = 0; lane < width; ++lane) {
    uint64_t sum = 0;
    for (int i = lane; i < period * kLanes; i += width) sum += lane_sums[i];
    most = sum > most ? sum : most;
  }
  uint32_t pair = 0;
  for (const uint32_t value : lane_pairs) pair = value > pair ? value : pair;
  return {static_cast<double>(most << kDropped), static_cast<double>(pair)};
}

}  // namespace cairn::exact::avx2
