#include "project/contribution.h"

#include <algorithm>

#include "project/account.h"
#include "project/draft.h"

namespace cairn::project {
namespace {

using ledger::Statement;
using trust::Entry;

constexpr std::string_view kLeases = "leases";

Project::Change leases_change(const Leases& leases) {
  return {.meta = {{std::string(kLeases), encode_leases(leases)}}};
}

Result<trust::Round> the_open_round(const Project& project) {
  const auto round = project.state().open_round();
  if (!round) return Error{project.directory().string() + ": no round is open"};
  return *round;
}

// What a gradient file has to say to be an entry, besides its numbers being true.
Status check_gradient(const Project& project, const work::GradientSummary& file) {
  const work::Recipe& recipe = project.recipe();
  const auto wrong = [](const char* field, auto got, auto expected) {
    return Error{std::string("gradient: ") + field + ": is " + std::to_string(got) + " where " +
                 std::to_string(expected) + " is expected"};
  };
  const trust::State& state = project.state();
  if (!state.current(file.round)) {
    return Error{"gradient: round: is " + std::to_string(file.round) + " where round " +
                 std::to_string(*state.open_round()) + " is open and takes nothing older than " +
                 std::to_string(state.policy().staleness) + " rounds"};
  }
  if (file.snapshot != state.rounds()[file.round].snapshot) {
    return Error{"gradient: snapshot: is not the one that round " + std::to_string(file.round) +
                 " opened with"};
  }
  if (file.samples != recipe.unit_images()) return wrong("samples", file.samples, recipe.unit_images());
  if (file.bits != recipe.bits) return wrong("bits", file.bits, recipe.bits);
  if (file.block_size != recipe.block_size) return wrong("block size", file.block_size, recipe.block_size);
  const uint32_t between = work::stretch_count(recipe) - 1;
  if (file.trace.size() != between) return wrong("trace", file.trace.size(), between);
  const uint64_t parameters = model::parameter_count(project.graph());
  if (file.parameters != parameters) return wrong("parameters", file.parameters, parameters);
  const uint32_t kept = work::kept_count(parameters, recipe.keep);
  if (file.kept != kept) return wrong("kept", file.kept, kept);
  return {};
}

// The statements of a submission belong together and to the gradient beside them.
Status check_consistency(const Digest& project, const Submission& submission, const work::GradientHead& file,
                         const Digest& digest) {
  const auto* sealed = std::get_if<ledger::EntrySealed>(&submission.sealed.body);
  const auto* opened = std::get_if<ledger::EntryOpened>(&submission.opened.body);
  if (sealed == nullptr || opened == nullptr) return Error{"statements: no sealed entry with its opening"};
  if (file.project != project) return Error{"gradient: project: was computed for another project"};
  const PublicKey& author = submission.sealed.author;
  if (submission.opened.author != author) return Error{"opening: author: is not who sealed the entry"};
  if (submission.joined && submission.joined->author != author)
    return Error{"joined: author: is not who sealed the entry"};
  if (submission.named && submission.named->author != author)
    return Error{"name: author: is not who sealed the entry"};
  if (opened->gradient != digest) return Error{"opening: gradient: is not the digest of the gradient"};
  if (sealed->unit != file.unit) return Error{"seal: unit: is not the gradient's"};
  if (sealed->round != file.round) return Error{"seal: round: is not the gradient's"};
  if (submission.joined) CAIRN_CHECK(check_signature(*submission.joined));
  if (submission.named) CAIRN_CHECK(check_signature(*submission.named));
  CAIRN_CHECK(check_signature(submission.opened));
  if (opened->seal != sealed->seal ||
      sealed->seal != ledger::entry_seal(project, author, sealed->round, sealed->unit, digest)) {
    return Error{"seal: does not commit this author to this gradient"};
  }
  return {};
}

Status check_name(const Submission& submission) {
  if (!submission.named) {
    if (!submission.name.empty()) return Error{"name: is given without a statement that chooses it"};
    return {};
  }
  CAIRN_CHECK(check_user_name(submission.name));
  const auto& chosen = std::get<ledger::NameChosen>(submission.named->body);
  if (chosen.name != sha256(as_bytes(submission.name))) return Error{"name: is not the one that was signed"};
  return {};
}

Result<Project::Change> change_of(const Project& project, const PreparedEntry& entry) {
  const Submission& submission = entry.submission;
  Project::Change change{.signatures_checked = true};  // by check_submission()
  if (!project.state().user_of(submission.sealed.author)) {
    if (submission.joined) change.statements.push_back(*submission.joined);
    if (submission.named) {
      change.statements.push_back(*submission.named);
      CAIRN_CHECK(change.add_blob(project.blobs(), as_bytes(submission.name)));
    }
  }
  change.statements.push_back(submission.sealed);
  const auto& sealed = std::get<ledger::EntrySealed>(submission.sealed.body);
  change.staged.push_back({entry_opening(sealed.seal), ledger::encode(submission.opened)});
  change.gradients.push_back(entry.blob);
  return change;
}

}  // namespace

Result<Leases> leases_of(const Project& project, int64_t now) {
  CAIRN_TRY(const auto stored, project.store().meta(std::string(kLeases)));
  if (!stored) return Leases{};
  auto leases = decode_leases(*stored);
  if (!leases) return leases.error().within(project.directory().string() + ": leases");
  return current_leases(project.state(), *std::move(leases), now);
}

Result<PublicKey> add_user(const Project& project, KeyRing& keys, const std::string& name) {
  CAIRN_CHECK(check_user_name(name));
  if (project.state().name_taken(sha256(as_bytes(name)))) {
    return Error{"user " + name + ": the name is taken in this project; choose another"};
  }
  CAIRN_TRY(const SigningKey key, keys.create(project.id().hex(), name));
  return key.public_key();
}

Result<Project::Change> take_unit_change(Project& project, const LeaseRequest& request, Lease& taken) {
  CAIRN_CHECK(the_open_round(project));
  CAIRN_TRY(Leases leases, leases_of(project, request.now));
  CAIRN_TRY(taken,
            choose_lease(project.state(), project.unit_board(), project.unit_order(), leases, request));
  if (std::ranges::find(leases, taken) != leases.end()) return Project::Change{};
  leases.push_back(taken);
  return leases_change(leases);
}

Result<Lease> take_unit(Project& project, const PublicKey& user, Environment& environment, uint32_t slot) {
  Lease taken;
  const LeaseRequest request{user, slot, environment.now(), environment.random_word()};
  CAIRN_CHECK(project.commit([&] { return take_unit_change(project, request, taken); }));
  return taken;
}

bool holds_lease(const Project& project, const PublicKey& user, trust::UnitId unit, int64_t now) {
  if (!project.state().open_round()) return false;
  const auto leases = leases_of(project, now);
  return leases && std::ranges::any_of(*leases, [&](const Lease& lease) {
           return lease.holder == user && lease.unit == unit;
         });
}

Result<Project::Change> return_unit_change(Project& project, const PublicKey& user, trust::UnitId unit,
                                           int64_t now) {
  CAIRN_CHECK(the_open_round(project));
  CAIRN_TRY(Leases leases, leases_of(project, now));
  const auto given =
      std::erase_if(leases, [&](const Lease& lease) { return lease.unit == unit && lease.holder == user; });
  if (given == 0) return Error{"unit " + std::to_string(unit) + ": is not leased to this user"};
  return leases_change(leases);
}

Status return_unit(Project& project, const PublicKey& user, trust::UnitId unit, Environment& environment) {
  const auto returned =
      project.commit([&] { return return_unit_change(project, user, unit, environment.now()); });
  if (!returned) return returned.error();
  return {};
}

Result<Submission> make_submission(const Project& project, const SigningKey& user, const std::string& name,
                                   const work::GradientFile& gradient, const Progress& progress) {
  Submission submission;
  const Bytes file = work::encode(gradient);
  const Digest digest = sha256(file);
  CAIRN_TRY(submission.gradient, work::pack_gradient(file));
  if (!project.state().user_of(user.public_key())) {
    CAIRN_TRY(Joining joining, sign_joining(project, user, name, progress));
    submission.joined = std::move(joining.joined);
    submission.named = std::move(joining.named);
    submission.name = name;
  }
  const Digest seal =
      ledger::entry_seal(project.id(), user.public_key(), gradient.round, gradient.unit, digest);
  submission.sealed = project.sign(user, ledger::EntrySealed{gradient.round, gradient.unit, seal});
  submission.opened = project.sign(user, ledger::EntryOpened{seal, digest});
  return submission;
}

Result<CheckedGradient> check_submission(const Digest& project, const Submission& submission,
                                         const work::GradientStore& gradients) {
  // A signature comes before the gradient, which is large and may be anybody's.
  CAIRN_CHECK(check_signature(submission.sealed));
  const auto gradient = gradients.unpack(submission.gradient);
  if (!gradient) return gradient.error().within("gradient");
  const Digest digest = sha256(*gradient);
  CAIRN_TRY(const work::GradientSummary summary, check_unpacked(project, submission, *gradient, digest));
  return CheckedGradient{summary, digest};
}

Result<work::GradientSummary> check_unpacked(const Digest& project, const Submission& submission,
                                             BytesView gradient, const Digest& digest) {
  const auto summary = work::check_gradient_file(gradient);
  if (!summary) return summary.error().within("gradient");
  CAIRN_CHECK(check_consistency(project, submission, *summary, digest));
  CAIRN_CHECK(check_name(submission));
  return *summary;
}

Result<Project::Change> entry_change(Project& project, const PreparedEntry& entry, int64_t now) {
  CAIRN_CHECK(the_open_round(project));
  CAIRN_CHECK(check_gradient(project, entry.gradient));
  CAIRN_TRY(const Leases leases, leases_of(project, now));
  CAIRN_CHECK(check_lease(project.state(), project.unit_board(), leases, entry.gradient.round,
                          entry.gradient.unit, entry.submission.sealed.author));
  CAIRN_CHECK(project.check_place(entry.submission.opened));  // enters the log when the round closes
  return change_of(project, entry);
}

Result<Accepted> submit(Project& project, const SharedBytes& bytes, Environment& environment) {
  CAIRN_TRY(Submission submission, decode_submission(bytes));
  CAIRN_TRY(const CheckedGradient gradient, check_submission(project.id(), submission, project.gradients()));
  CAIRN_TRY(PreparedBlob blob, project.gradients().prepare(gradient.digest, submission.gradient));
  submission.gradient = {};
  const PreparedEntry prepared{std::move(submission), gradient.summary,
                               std::make_shared<PreparedBlob>(std::move(blob))};
  CAIRN_CHECK(project.commit([&] { return entry_change(project, prepared, environment.now()); }));
  const auto id = static_cast<trust::EntryId>(project.state().entries().size());
  const Entry& entry = project.state().entry(id);
  return Accepted{id, entry.user, entry.round, entry.unit, project.events().size() - 1};
}

}  // namespace cairn::project
