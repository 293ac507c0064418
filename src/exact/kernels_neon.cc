// Compiled for one instruction set: see CMakeLists.txt.
#define CAIRN_KERNELS kKernelsNeon
#include "exact/kernels.inc"
