// The self-test of a backend, reduced to digests: the same on every processor, or the processor computes
// wrongly.
#pragma once

#include <string>
#include <vector>

#include "base/digest.h"
#include "exact/backend.h"

namespace cairn::exact {

struct SectionSignature {
  std::string name;
  Digest digest;
};

// Runs every operator on fixed inputs, hostile ones included, over many shapes, and takes the digest of all
// that comes out, section by section: quantize, product, convolution, sums, elementwise, normalization,
// pooling, loss. Takes seconds. Precondition: the calling thread has set_float_environment().
std::vector<SectionSignature> selftest_signatures(Backend& backend);

// One digest over the arithmetic version and all sections.
Digest combined_signature(const std::vector<SectionSignature>& sections);

// What combined_signature() gives on every sound machine.
Digest expected_signature();

}  // namespace cairn::exact
