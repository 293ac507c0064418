// exp, log, tanh, erf and sigmoid of every binary32 there is, on every instruction set of this processor: the
// SHA-256 of the results must be the committed one. Takes minutes.
//
// Usage: exact_all_inputs [ISA...]
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "base/digest.h"
#include "base/float_environment.h"
#include "exact/backend.h"

namespace cairn::exact {
namespace {

using Function = void (Backend::*)(const float*, int64_t, float*);

struct Case {
  const char* name;
  Function function;
  const char* digest;  // of the digests of the 256 ranges of inputs with equal upper 8 bits
};
constexpr std::array kCases = {
    Case{"exp", &Backend::exponential, "9b317947807bf26ed85c8585ac13eb964e6d5f83e2327d0dfbd065805c927f3a"},
    Case{"log", &Backend::logarithm, "f2905a16ac39f7e0f5bd5ba35d89df0461ca1f43f3005aa08b48da9c33cdd468"},
    Case{"tanh", &Backend::hyperbolic_tangent,
         "2223f9ec1cbb126e3572fd31b06a298b0c0add31802a15e7f4b4417c3212594c"},
    Case{"erf", &Backend::error_function, "a19130e9bc46d1594fceee1a153d1680ea94347b4e0db9e985db7ef5b9bbc52c"},
    Case{"sigmoid", &Backend::sigmoid, "81284539ae5d1702f0c92854cbaa1fe5e910a6771594b75a158c7a8161c5bc7f"}};

// The digest of the results of the 2^24 inputs whose bits begin with `range`, as little-endian words.
Digest digest_of_range(Backend& backend, Function function, uint32_t range) {
  constexpr uint32_t kChunk = 1 << 14;
  std::vector<uint32_t> bits(kChunk);
  std::vector<float> x(kChunk), y(kChunk);
  Hasher hasher;
  for (uint32_t chunk = 0; chunk < (1u << 24) / kChunk; ++chunk) {
    for (uint32_t i = 0; i < kChunk; ++i) bits[i] = (range << 24) + chunk * kChunk + i;
    std::memcpy(x.data(), bits.data(), kChunk * sizeof(float));
    (backend.*function)(x.data(), kChunk, y.data());
    hasher.update({reinterpret_cast<const uint8_t*>(y.data()), kChunk * sizeof(float)});
  }
  return hasher.finish();
}

Digest digest_of_all(Isa isa, Function function, ThreadPool& pool) {
  std::array<Digest, 256> ranges;
  pool.run(256, [&](int64_t range, int) {
    ThreadPool alone(1);
    const std::unique_ptr<Backend> backend = make_backend(isa, alone);
    ranges[static_cast<size_t>(range)] = digest_of_range(*backend, function, static_cast<uint32_t>(range));
  });
  Hasher hasher;
  for (const Digest& digest : ranges) hasher.update(digest.bytes);
  return hasher.finish();
}

int run(const std::vector<Isa>& isas) {
  set_float_environment();
  ThreadPool pool(hardware_threads());
  int wrong = 0;
  for (const Case& test : kCases) {
    for (Isa isa : isas) {
      const std::string digest = digest_of_all(isa, test.function, pool).hex();
      const bool right = digest == test.digest;
      wrong += right ? 0 : 1;
      std::printf("%s %s on %s: %s\n", right ? "ok   " : "WRONG", test.name,
                  std::string(isa_name(isa)).c_str(), digest.c_str());
      std::fflush(stdout);
    }
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cairn::exact

int main(int argc, char** argv) {
  std::vector<cairn::exact::Isa> isas;
  for (int i = 1; i < argc; ++i) {
    const auto isa = cairn::exact::isa_from_name(argv[i]);
    if (!isa) {
      std::fprintf(stderr, "exact_all_inputs: %s\n", isa.error().message.c_str());
      return 2;
    }
    isas.push_back(*isa);
  }
  return cairn::exact::run(isas.empty() ? cairn::exact::supported_isas() : isas);
}
