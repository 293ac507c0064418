// Compiled for one instruction set: see CMakeLists.txt.
#define CAIRN_KERNELS kKernelsAvx2
#include "exact/kernels.inc"
