#include "base/shared_bytes.h"

namespace cairn {

SharedBytes::SharedBytes(Bytes bytes) {
  const auto owner = std::make_shared<const Bytes>(std::move(bytes));
  view_ = *owner;
  owner_ = owner;
}

}  // namespace cairn
