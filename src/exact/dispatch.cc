#include <array>

#include "exact/fast_backend.h"
#include "exact/reference.h"

namespace cairn::exact {
namespace {

struct Name {
  Isa isa;
  std::string_view name;
};
constexpr std::array<Name, 3> kNames = {
    {{Isa::scalar, "scalar"}, {Isa::avx2, "avx2"}, {Isa::avx512_vnni, "avx512-vnni"}}};

bool processor_runs(Isa isa) {
  if (isa == Isa::scalar) return true;
#if defined(__x86_64__)
  // The compiler's runtime also asks the operating system whether it saves the wide registers.
  __builtin_cpu_init();
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") != 0;
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0;
#else
  return false;
#endif
}

std::string names_of(const std::vector<Isa>& isas) {
  std::string result = "auto";
  for (Isa isa : isas) result.append(", ").append(isa_name(isa));
  return result;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  return kNames[static_cast<size_t>(isa)].name;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> result;
  for (const Name& entry : kNames)
    if (processor_runs(entry.isa)) result.push_back(entry.isa);
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
  CAIRN_ASSERT(isa != Isa::scalar);
#if defined(__x86_64__)
  return isa == Isa::avx2 ? kKernelsAvx2 : kKernelsAvx512;
#else
  std::abort();  // supported_isas() names nothing but scalar
#endif
}

std::unique_ptr<Backend> make_backend(Isa isa, ThreadPool& pool) {
  if (isa == Isa::scalar) return std::make_unique<Reference>(pool);
  return std::make_unique<FastBackend>(isa, pool);
}

}  // namespace cairn::exact
