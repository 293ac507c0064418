#include "exact/product.h"
#include "exact/reference.h"

namespace cairn::exact {

void fast_product_nt(Machine& machine, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b,
                     float* c) {
  Reference(machine.pool).product_nt(m, n, k, a, b, c);
}

void fast_product_nn(Machine& machine, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b,
                     float* c) {
  Reference(machine.pool).product_nn(m, n, k, a, b, c);
}

void fast_product_tn(Machine& machine, int64_t m, int64_t n, int64_t k, ConstQuantized a, ConstQuantized b,
                     float* c) {
  Reference(machine.pool).product_tn(m, n, k, a, b, c);
}

}  // namespace cairn::exact
