#include "project/availability.h"

#include <algorithm>

#include "work/gradient_file.h"
#include "work/unit.h"

namespace cairn::project {
namespace {

using trust::Claim;
using trust::EntryId;

bool open(const Claim& claim) {
  return claim.standing.status == Claim::Status::open;
}

std::set<EntryId> claimed_entries(const trust::State& state) {
  std::set<EntryId> entries;
  for (const Claim& claim : state.claims()) {
    if (open(claim)) entries.insert(claim.entry);
  }
  return entries;
}

// Who judges a stretch looks up what the file states. The training state before it can be computed instead.
std::optional<Digest> quoted_file(const trust::State& state, EntryId entry) {
  const bool quoted = std::ranges::any_of(state.claims_about(entry), [&](trust::ClaimId about) {
    return open(state.claim(about)) && state.claim(about).stretch;
  });
  return quoted ? state.entry(entry).gradient : std::nullopt;
}

// Where a page that lists the shards is missing, the pages: without them nobody reaches the others.
std::vector<Digest> shards_of(const Project& project, trust::UnitId unit) {
  const data::DataSet& data = project.data();
  const auto images = work::unit_images(project.recipe(), data.groups(data::Split::train), unit);
  auto parts = data.parts_of(data::Split::train, images);
  if (!parts) parts = data.pages_of(data::Split::train, images);
  std::vector<Digest> digests;
  for (const data::Part& part : *parts) digests.push_back(part.digest);
  return digests;
}

// The last day brought neither a decision nor, where the files are missing, the files.
bool is_overdue(const trust::State& state, EntryId id, bool lacks, int64_t now) {
  if (state.decided_about(id)) return false;
  const int64_t waited = now - trust::kSuspensionDelay;
  const auto& unavailable = state.entry(id).unavailable_since;
  if (lacks && unavailable && *unavailable <= waited) return true;
  return std::ranges::any_of(state.claims_about(id), [&](trust::ClaimId about) {
    return open(state.claim(about)) && state.claim(about).time <= waited;
  });
}

}  // namespace

std::vector<Needs> needs_of_claims(const Project& project) {
  std::vector<Needs> all;
  for (const EntryId id : claimed_entries(project.state())) {
    const trust::Entry& entry = project.state().entry(id);
    all.push_back({id, project.state().rounds()[entry.round].snapshot, quoted_file(project.state(), id),
                   shards_of(project, entry.unit)});
  }
  return all;
}

FileCheck::FileCheck(const std::filesystem::path& directory, uint64_t parameter_count, uint64_t gradient_size)
    : snapshots_(directory, nullptr, nullptr),
      gradients_(directory / "gradients", gradient_size),
      shards_(directory / "shards"),
      parameter_count_(parameter_count) {}

template <typename Store>
bool FileCheck::whole(const Store& store, const Digest& digest, uint64_t size) {
  if (read_.contains(digest)) return store.has(digest);
  if (!store.get(digest, size)) return false;
  read_.insert(digest);
  return true;
}

std::set<EntryId> FileCheck::lacking(const std::vector<Needs>& needs, const std::function<bool()>& go_on) {
  std::set<EntryId> found;
  for (const Needs& one : needs) {
    if (!go_on()) break;
    const bool all = whole(snapshots_, one.snapshot, parameter_count_) &&
                     (!one.gradient || whole(gradients_, *one.gradient, gradients_.size())) &&
                     std::ranges::all_of(one.shards, [&](const Digest& shard) {
                       return go_on() && whole(shards_, shard, data::kMaxShardSize);
                     });
    if (!all) found.insert(one.entry);
  }
  return found;
}

std::vector<ledger::Body> availability_statements(const trust::State& state, const std::set<EntryId>& lacking,
                                                  int64_t now) {
  std::vector<ledger::Body> statements;
  if (state.paused()) return statements;
  for (const EntryId id : claimed_entries(state)) {
    const bool lacks = lacking.contains(id);
    if (is_overdue(state, id, lacks, now)) {
      statements.emplace_back(ledger::EntrySuspended{id});
    } else if (lacks && !state.entry(id).unavailable_since) {
      statements.emplace_back(ledger::EntryUnavailable{id});
    }
  }
  return statements;
}

}  // namespace cairn::project
