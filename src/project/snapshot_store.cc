#include "project/snapshot_store.h"

#include <algorithm>

#include "average/packed_snapshot.h"
#include "average/snapshot.h"
#include "base/file.h"

namespace cairn::project {
namespace {

constexpr uint64_t kMaxFile = uint64_t{1} << 31;  // of any project's

Result<average::PackedHead> head_of(const std::filesystem::path& file) {
  CAIRN_TRY(const SharedBytes bytes, map_file(file, kMaxFile));
  auto head = average::read_packed_head(bytes);
  if (!head) return head.error().within(file.string());
  return head;
}

// Makes the file be there, from the origin where there is one.
Status fetch(const BlobOrigin* origin, const Digest& digest, uint64_t count,
             const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_regular_file(file, error)) return {};
  if (origin == nullptr) return Error{file.string() + ": is not there"};
  CAIRN_CHECK(make_directory(file.parent_path()));
  return origin->fetch(digest, average::packed_size_limit(count), file);
}

}  // namespace

Result<std::vector<float>> SnapshotStore::whole_blob(const Digest& digest, uint64_t count) const {
  CAIRN_TRY(const Bytes bytes, blobs_.get(digest, average::parameters_size(count)));
  return average::decode_parameters(bytes);
}

// Downward until something stands by itself.
Result<SnapshotStore::Chain> SnapshotStore::chain(const Digest& digest, uint64_t count,
                                                  const Known* known) const {
  Chain chain{.links = {}, .ground = Ground::whole, .below = digest};
  while (chain.links.size() <= kLongestChain) {
    if (known != nullptr && known->digest == chain.below) {
      chain.ground = Ground::known;
      return chain;
    }
    const std::filesystem::path file = path(chain.below);
    const bool is_blob = blobs_.has(chain.below) || !fetch(origin_, chain.below, count, file);
    if (is_blob) {
      chain.ground = Ground::blob;
      return chain;
    }
    CAIRN_TRY(const average::PackedHead head, head_of(file));
    chain.links.push_back(chain.below);
    if (!head.base) return chain;
    chain.below = *head.base;
  }
  return Error{path(digest).string() + ": lies upon more than " + std::to_string(kLongestChain) + " others"};
}

Status SnapshotStore::unpack_link(const Digest& digest, uint64_t count,
                                  std::vector<float>& parameters) const {
  const std::filesystem::path file = path(digest);
  CAIRN_CHECK(fetch(origin_, digest, count, file));
  Status status;
  if (const auto bytes = map_file(file, average::packed_size_limit(count)); bytes) {
    status = average::unpack(*bytes, count, parameters);
  } else {
    return bytes.error();
  }
  if (status && average::parameters_digest(parameters) != digest)
    status = Error{"the parameters do not have the digest in the file's name"};
  if (status) return {};
  std::error_code error;
  if (origin_ != nullptr) std::filesystem::remove(file, error);
  return status.error().within(file.string());
}

Result<std::vector<float>> SnapshotStore::get(const Digest& digest, uint64_t count,
                                              const Known* known) const {
  CAIRN_TRY(const Chain chain, this->chain(digest, count, known));
  std::vector<float> parameters;
  if (chain.ground == Ground::known) parameters = known->parameters;
  if (chain.ground == Ground::blob) {
    CAIRN_TRY(parameters, whole_blob(chain.below, count));
  }
  for (auto link = chain.links.rbegin(); link != chain.links.rend(); ++link)
    CAIRN_CHECK(unpack_link(*link, count, parameters));
  return parameters;
}

// How many changes lie upon each other up to this one; nothing where something is missing.
std::optional<size_t> SnapshotStore::changes_below(const Digest& digest) const {
  Digest below = digest;
  for (size_t changes = 0; changes <= kLongestChain; ++changes) {
    if (blobs_.has(below)) return changes;
    const auto head = head_of(path(below));
    if (!head) return std::nullopt;
    if (!head->base) return changes;
    below = *head->base;
  }
  return std::nullopt;
}

bool SnapshotStore::has(const Digest& digest) const {
  return changes_below(digest).has_value();
}

Status SnapshotStore::put(const Digest& digest, std::span<const float> parameters,
                          const std::optional<Digest>& before, const Known* known) const {
  if (has(digest)) return {};
  Bytes packed = average::pack(parameters);
  const auto changes = before ? changes_below(*before) : std::nullopt;
  if (changes && *changes + 1 < kWholeEvery) {
    CAIRN_TRY(const std::vector<float> base, get(*before, parameters.size(), known));
    Bytes change = average::pack_change(*before, base, parameters);
    if (change.size() < packed.size()) packed = std::move(change);
  }
  CAIRN_CHECK(make_directory(path(digest).parent_path()));
  return write_file(path(digest), packed);
}

std::optional<Digest> SnapshotStore::base(const Digest& digest) const {
  if (blobs_.has(digest)) return std::nullopt;
  const auto head = head_of(path(digest));
  return head ? head->base : std::nullopt;
}

std::vector<std::filesystem::path> SnapshotStore::files(const Digest& digest) const {
  std::vector<std::filesystem::path> files;
  std::optional<Digest> next = digest;
  while (next && files.size() <= kLongestChain) {
    const bool is_blob = blobs_.has(*next);
    files.push_back(is_blob ? blobs_.path(*next) : path(*next));
    next = base(*next);
  }
  return files;
}

}  // namespace cairn::project
