// Bytes that do not change, however many hold them: in memory, or those of a file (map_file() in base/file.h).
//
// Safe for several threads. A copy is cheap and keeps the bytes alive.
#pragma once

#include <memory>

#include "base/bytes.h"

namespace cairn {

class SharedBytes {
 public:
  SharedBytes() = default;
  SharedBytes(Bytes bytes);  // NOLINT(google-explicit-constructor)
  // What `view` points to lives as long as the owner.
  SharedBytes(std::shared_ptr<const void> owner, BytesView view) : owner_(std::move(owner)), view_(view) {}

  operator BytesView() const { return view_; }  // NOLINT(google-explicit-constructor)
  BytesView view() const { return view_; }
  size_t size() const { return view_.size(); }

  // `part` lies within these bytes.
  SharedBytes slice(BytesView part) const { return {owner_, part}; }

 private:
  std::shared_ptr<const void> owner_;
  BytesView view_;
};

}  // namespace cairn
