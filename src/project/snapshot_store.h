// The parameters of rounds on disk, in the folder snapshots/ of a project: packed
// (average/packed_snapshot.h), named by the digest of what they become, each as what changed since the round
// before where that is smaller, and whole at least every kWholeEvery rounds. Who follows a project fetches
// one change a round; who is new one whole snapshot and a few changes. The parameters of the genesis are a
// blob, and count as whole.
//
// Safe for several threads and processes: a file is written whole or not at all, and what a digest names
// never changes, however it is packed.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "base/blob_store.h"

namespace cairn::project {

inline constexpr size_t kWholeEvery = 16;    // rounds
inline constexpr size_t kLongestChain = 64;  // changes upon each other that are followed, whoever packed them

class SnapshotStore {
 public:
  // In a project's directory. Origins, if there are any, outlive the store: what get() lacks is fetched from
  // them and kept.
  SnapshotStore(const std::filesystem::path& project, const BlobOrigin* origin, const BlobOrigin* blobs)
      : packed_(project / "snapshots"), origin_(origin), blobs_(project / "blobs", blobs) {}

  // Parameters that whoever asks has already, so that those laid upon them need not be unpacked from further
  // below.
  struct Known {
    Digest digest;
    std::vector<float> parameters;
  };

  // The parameters of that digest. Every one that lies on the way is compared with its digest; an error names
  // the file, which is deleted if it can be fetched again.
  Result<std::vector<float>> get(const Digest& digest, uint64_t count, const Known* known = nullptr) const;

  // Packs parameters of that digest, upon those of the round before where there are any. Once it succeeds
  // they survive power loss. Does nothing where they are there already.
  Status put(const Digest& digest, std::span<const float> parameters, const std::optional<Digest>& before,
             const Known* known = nullptr) const;

  // Whether everything that get() needs is here.
  bool has(const Digest& digest) const;
  std::filesystem::path path(const Digest& digest) const { return packed_.path(digest); }
  // The files of what get() needs, from the one of that digest downward, as far as they are here; the last
  // one may be missing.
  std::vector<std::filesystem::path> files(const Digest& digest) const;
  // What the packed parameters of that digest are laid upon; nothing where they are whole or not here.
  std::optional<Digest> base(const Digest& digest) const;

 private:
  enum class Ground : uint8_t { whole, blob, known };
  // The digests from that of the parameters wanted downward, and on what the last one stands.
  struct Chain {
    std::vector<Digest> links;
    Ground ground = Ground::whole;
    Digest below;  // where the ground is a blob
  };

  Result<Chain> chain(const Digest& digest, uint64_t count, const Known* known) const;
  Status unpack_link(const Digest& digest, uint64_t count, std::vector<float>& parameters) const;
  Result<std::vector<float>> whole_blob(const Digest& digest, uint64_t count) const;
  std::optional<size_t> changes_below(const Digest& digest) const;

  BlobStore packed_;  // for the names of its files; what they hold has another digest
  const BlobOrigin* origin_;
  BlobStore blobs_;
};

}  // namespace cairn::project
