#include <array>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "exact/fast_backend.h"
#include "exact/microkernel.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"scalar", "neon",     "neon-dot",
                                                    "avx2",   "avx-vnni", "avx512-vnni"};

// An instruction set that this program was built for.
struct InstructionSet {
  Isa isa;
  bool (*runs)();  // on this processor
  const Kernels& kernels;
  const Microkernels& microkernels;
};

#if defined(__x86_64__)
// The compiler's runtime also asks the operating system whether it saves the wide registers.
bool runs_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
}
// Clang 14 has no name for it: leaf 7, subleaf 1 of the instruction cpuid.
bool runs_avx_vnni() {
  constexpr unsigned kAvxVnni = 1u << 4;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return runs_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & kAvxVnni) != 0;
}
bool runs_avx512() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0;
}
constexpr std::array<InstructionSet, 3> kSets = {
    {{Isa::avx2, runs_avx2, kKernelsAvx2, kMicrokernelsAvx2},
     {Isa::avx_vnni, runs_avx_vnni, kKernelsAvx2, kMicrokernelsAvxVnni},
     {Isa::avx512_vnni, runs_avx512, kKernelsAvx512, kMicrokernelsAvx512}}};
#elif defined(__aarch64__)
bool runs_neon() {
  return true;  // part of the architecture
}
bool runs_neon_dot() {
#if defined(__ARM_FEATURE_DOTPROD)
  return true;
#elif defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return false;
#endif
}
constexpr std::array<InstructionSet, 2> kSets = {
    {{Isa::neon, runs_neon, kKernelsNeon, kMicrokernelsNeon},
     {Isa::neon_dot, runs_neon_dot, kKernelsNeon, kMicrokernelsNeonDot}}};
#else
constexpr std::array<InstructionSet, 0> kSets = {};
#endif

// Precondition: the program was built for `isa`, which is not scalar.
const InstructionSet& set_of(Isa isa) {
  for (const InstructionSet& set : kSets)
    if (set.isa == isa) return set;
  CAIRN_ASSERT(false);
  std::abort();
}

std::string names_of(const std::vector<Isa>& isas) {
  std::string result = "auto";
  for (Isa isa : isas) result.append(", ").append(isa_name(isa));
  return result;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  return kNames[static_cast<size_t>(isa)];
}

std::vector<Isa> built_isas() {
  std::vector<Isa> result = {Isa::scalar};
  for (const InstructionSet& set : kSets) result.push_back(set.isa);
  return result;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> result = {Isa::scalar};
  for (const InstructionSet& set : kSets)
    if (set.runs()) result.push_back(set.isa);
  return result;
}

Result<Isa> isa_from_name(std::string_view name) {
  const std::vector<Isa> isas = supported_isas();
  if (name == "auto") return isas.back();
  for (Isa isa : isas)
    if (isa_name(isa) == name) return isa;
  return Error{"isa: this processor does not run '" + std::string(name) + "'; choose one of " +
               names_of(isas)};
}

const Kernels& kernels_for(Isa isa) {
  return set_of(isa).kernels;
}

const Microkernels& microkernels(Isa isa) {
  return set_of(isa).microkernels;
}

std::unique_ptr<Backend> make_backend(Isa isa, ThreadPool& pool) {
  if (isa == Isa::scalar) return std::make_unique<Reference>(pool);
  return std::make_unique<FastBackend>(isa, pool);
}

}  // namespace cairn::exact
