#include "role/disputes.h"

#include <algorithm>
#include <future>

#include "project/audit.h"
#include "project/dispute.h"
#include "role/replies.h"

namespace cairn::role {

using net::Reply;
using net::Response;
using project::Project;

namespace {

std::string entry_text(trust::EntryId entry) {
  return "entry " + std::to_string(entry);
}

}  // namespace

Disputes::Disputes(Coordinator& coordinator, Environment& environment)
    : coordinator_(coordinator),
      recipe_(coordinator.recipe()),
      blobs_(coordinator.directory() / "blobs"),
      gradients_(coordinator.directory() / "gradients", coordinator.gradient_size()),
      states_(coordinator.directory() / "incoming-states",
              {.what = "a training state",
               .file_size = work::training_state_size(recipe_, coordinator.parameter_count()),
               .files = kMaxStatesComing},
              environment) {}

bool Disputes::has_state(const Digest& state) const {
  return project::holds_state(blobs_.path(state), states_.limits().file_size);
}

uint64_t Disputes::received(const Digest& state) const {
  return has_state(state) ? states_.limits().file_size : states_.received(state);
}

// The gradient of an opened entry, unless `may` refuses. Its file was checked when it came in.
std::variant<Disputes::Accused, Response> Disputes::accused(
    trust::EntryId entry, const std::function<Status(const Project&)>& may) const {
  auto found = std::make_shared<std::promise<Result<Digest>>>();
  std::future<Result<Digest>> answer = found->get_future();
  const bool asked = coordinator_.look([found, entry, may](const Project& project) {
    const trust::State& state = project.state();
    const Status allowed = may(project);
    if (!allowed) return found->set_value(allowed.error());
    if (state.has_entry(entry) && state.entry(entry).gradient)
      return found->set_value(*state.entry(entry).gradient);
    found->set_value(Error{entry_text(entry) + ": is not in the training log"});
  });
  found.reset();  // if nobody looks, nobody is left to answer
  if (!asked) return too_much_waits();
  Accused accused;
  try {
    const Result<Digest> gradient = answer.get();
    if (!gradient) return Response::error(409, gradient.error().message);
    accused.gradient = *gradient;
  } catch (const std::future_error&) {
    return Response::try_later(503, "the host stops", 30);
  }
  const auto bytes = gradients_.get(accused.gradient, gradients_.size());
  auto file = bytes ? work::read_gradient_head(*bytes) : Result<work::GradientHead>(bytes.error());
  if (!file)
    return Response::try_later(503, entry_text(entry) + ": its gradient cannot be read at present", 30);
  accused.file = *std::move(file);
  return accused;
}

// 403, since 409 says of a piece that another one is wanted.
std::optional<Response> Disputes::refusal(const PublicKey& author, trust::EntryId entry,
                                          const Digest& state) const {
  auto found = accused(entry, [author, entry](const Project& project) {
    return project::check_claim(project, author, entry);
  });
  if (auto* response = std::get_if<Response>(&found)) {
    if (response->status == 409) response->status = 403;
    return std::move(*response);
  }
  const work::GradientHead& file = std::get<Accused>(found).file;
  if (project::has_stretches(recipe_, file) && std::ranges::count(file.trace, state) > 0) return std::nullopt;
  return Response::error(
      403, entry_text(entry) + ": its gradient file states no training state of digest " + state.hex());
}

void Disputes::claim(const ledger::Statement& statement, const Reply& reply) {
  const auto& claim = std::get<ledger::StretchClaimed>(statement.body);
  // Nobody else may have what waits for an honest claim looked at, or taken away.
  const Status genuine = project::check_signature(statement);
  if (!genuine) return reply(Response::error(400, genuine.error().message));
  const auto found = accused(claim.entry, [](const Project&) { return Status(); });
  if (const auto* response = std::get_if<Response>(&found)) return reply(*response);
  const auto& [gradient, file] = std::get<Accused>(found);
  const Status quoted = project::check_quote(recipe_, file, gradient, claim.stretch);
  if (!quoted) return reply(Response::error(409, quoted.error().message));
  if (claim.stretch.index == 0 || has_state(claim.stretch.before))
    return coordinator_.say({statement}, {}, receipts_to(reply));
  claim_with_upload(statement, claim.stretch.before, reply);
}

// Who is told to come later, or is refused while others may claim the same, leaves the state here.
void Disputes::claim_with_upload(const ledger::Statement& statement, const Digest& state,
                                 const Reply& reply) {
  auto taken = states_.take(state, state, [](const SharedBytes& bytes) { return Result(bytes); });
  if (auto* response = std::get_if<Response>(&taken)) return reply(std::move(*response));
  const auto& upload = std::get<Incoming::Upload>(taken);
  const auto decoded = work::decode_training_state(upload.content, recipe_, coordinator_.parameter_count());
  if (!decoded) {
    states_.let_go(state, Incoming::Then::remove);
    return reply(Response::error(409, decoded.error().message));
  }
  const Reply let_go([this, state, reply](Response response) {
    states_.let_go(state, response.status < 300 ? Incoming::Then::remove : Incoming::Then::keep);
    reply(std::move(response));
  });
  auto blob = std::make_shared<PreparedBlob>(state, upload.file, PreparedBlob::Otherwise::stays);
  coordinator_.say({statement}, {std::move(blob)}, receipts_to(let_go));
}

}  // namespace cairn::role
