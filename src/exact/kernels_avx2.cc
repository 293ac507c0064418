// Compiled for one instruction set: see CMakeLists.txt.
#if defined(__x86_64__)
#define CAIRN_KERNELS kKernelsAvx2
#include "exact/kernels.inc"
#endif
