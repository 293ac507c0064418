#include "exact/microkernel.h"

namespace cairn::exact {

const Microkernels& microkernels(Isa isa) {
  return isa == Isa::avx512_vnni ? kMicrokernelsAvx512 : kMicrokernelsAvx2;
}

}  // namespace cairn::exact
