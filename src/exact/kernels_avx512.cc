// Compiled for one instruction set: see CMakeLists.txt.
#define CAIRN_KERNELS kKernelsAvx512
#include "exact/kernels.inc"
