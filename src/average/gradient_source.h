// Where the averaging gets gradients from.
#pragma once

#include "base/blob_store.h"
#include "work/gradient_file.h"

namespace cairn::average {

// Safe to call from several threads if the implementation says so.
class GradientSource {
 public:
  virtual ~GradientSource() = default;
  // The gradient file whose canonical bytes have that digest.
  virtual Result<work::GradientFile> get(const Digest& digest) const = 0;
};

// Gradient files as blobs; as safe as the blobs are. The blobs outlive this.
class BlobGradients : public GradientSource {
 public:
  explicit BlobGradients(const BlobSource& blobs) : blobs_(blobs) {}

  Result<work::GradientFile> get(const Digest& digest) const override {
    CAIRN_TRY(const Bytes bytes, blobs_.get(digest, work::kMaxGradientFileSize));
    return work::decode_gradient_file(bytes);
  }

 private:
  const BlobSource& blobs_;
};

}  // namespace cairn::average
