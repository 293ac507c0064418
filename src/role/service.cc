#include "role/service.h"

#include <algorithm>
#include <charconv>
#include <future>

#include "base/json.h"
#include "ledger/tiles.h"
#include "role/replies.h"
#include "role/views.h"

namespace cairn::role {
namespace {

using net::Reply;
using net::Request;
using net::Response;
using net::Route;
using net::WholeBody;
using project::Project;

constexpr std::string_view kBinary = "application/octet-stream";
constexpr std::string_view kForever = "public, max-age=31536000, immutable";

Response json(const Json& value) {
  return Response::json(200, value.dump() + "\n");
}

Response not_found(std::string_view path) {
  return Response::error(
      404, "there is no " + net::escaped(path) + " here; docs/formats/protocol.md lists what there is");
}

// The rest of `path` after `prefix`, or nothing.
std::optional<std::string_view> after(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  return path.substr(prefix.size());
}

// A whole number of the query; `fallback` where it is not given.
Result<uint32_t> number(const Request& request, std::string_view name, uint32_t fallback) {
  const auto text = request.parameter(name);
  if (!text) return fallback;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) {
    return Error{std::string(name) + ": is no whole number below 2^32"};
  }
  return value;
}

// The nonce of a newcomer's proof of work, where one is shown.
Result<std::optional<uint64_t>> nonce_of(std::string_view text) {
  if (text.empty()) return std::optional<uint64_t>();
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return std::optional(value);
  return Error{std::string(kWorkHeader) + ": is no whole number below 2^64"};
}

// A GET that is answered from the project between two batches of the sequencer.
Route from_project(Coordinator& coordinator, std::function<Response(const Project&, const Request&)> answer) {
  return WholeBody{0, [&coordinator, answer](const Request& request, const Reply& reply) {
                     const bool waits = coordinator.look([request, reply, answer](const Project& project) {
                       reply(answer(project, request));
                     });
                     if (!waits) reply(too_much_waits());
                   }};
}

// A file that is named by its digest and never changes.
Route stored_file(std::string_view digest_text,
                  const std::function<std::filesystem::path(const Digest&)>& path_of) {
  const auto digest = Digest::from_hex(digest_text);
  if (!digest) return no_digest();
  return WholeBody{0, [path = path_of(*digest), hex = digest->hex()](const Request&, const Reply& reply) {
                     auto response = Response::file(path, std::string(kBinary));
                     if (!response)
                       return reply(Response::error(404, "there is no file of digest " + hex + " here"));
                     response->etag = hex;
                     std::ignore = response->headers.set("Cache-Control", kForever);
                     reply(*std::move(response));
                   }};
}

// How much of what is called by a digest has come.
Route received(std::string_view name, std::function<uint64_t(const Digest& digest)> count) {
  const auto digest = Digest::from_hex(name);
  if (!digest) return no_digest();
  return WholeBody{0, [digest = *digest, count = std::move(count)](const Request&, const Reply& reply) {
                     reply(received_response(count(digest)));
                   }};
}

// A piece of it, unless something speaks against whoever shows that ticket.
Route piece(Incoming& incoming, const Request& head, std::string_view name,
            std::function<std::optional<Response>(std::string_view ticket, const Digest& digest)> against) {
  const auto digest = Digest::from_hex(name);
  if (!digest) return no_digest();
  const auto range = parse_content_range(head.header("Content-Range"));
  if (!range) return Response::error(400, range.error().message);
  if (range->length != head.content_length)
    return Response::error(400, "Content-Range: is not as long as the body");
  using Sink = std::variant<std::unique_ptr<net::BodySink>, Response>;
  return net::StreamedBody{incoming.limits().piece_size,
                           [&incoming, digest = *digest, range = *range, against = std::move(against),
                            ticket = std::string(head.header(kTicketHeader))](const Request&) -> Sink {
                             if (auto refusal = against(ticket, digest)) return *std::move(refusal);
                             return incoming.receive(digest, range);
                           }};
}

Response gone(const Digest& digest) {
  return Response::error(410, "the gradient file " + digest.hex() +
                                  " is not served any more: its entry was revoked or suspended");
}

Response tile_response(const Project& project, const ledger::TileId& tile) {
  if (!ledger::tile_exists(tile, project.head().size))
    return Response::error(404, "the log has no such tile yet");
  auto bytes = ledger::read_tile(project.store(), tile);
  if (!bytes) return Response::try_later(503, "the log cannot be read at present", 30);
  Response response = Response::bytes(std::string(kBinary), *std::move(bytes));
  std::ignore = response.headers.set("Cache-Control", kForever);
  return response;
}

}  // namespace

Service::Service(Coordinator& coordinator, Environment& environment)
    : coordinator_(coordinator),
      environment_(environment),
      blobs_(coordinator.directory() / "blobs"),
      shards_(coordinator.directory() / "shards"),
      gradients_(coordinator.directory() / "gradients", coordinator.gradient_size()),
      snapshots_(coordinator.directory(), nullptr, nullptr),
      incoming_(coordinator.directory() / "incoming",
                {.file_size = work::max_packed_size(coordinator.gradient_size())}, environment),
      disputes_(coordinator, environment) {}

net::Event Service::event(const Coordinator::News& news) {
  Json data = {{"events", news.head.size}, {"root", news.head.root.hex()}};
  data["round"] = news.open_round ? Json(*news.open_round) : Json(nullptr);
  return {news.head.size, "head", data.dump()};
}

Route Service::route(const Request& head) {
  switch (head.method) {
    case net::Method::get:
      return get(head);
    case net::Method::post:
      return post(head);
    case net::Method::put:
      return put(head);
    default:
      return Response::error(405, "only GET, HEAD, POST and PUT are understood here");
  }
}

Route Service::get(const Request& head) {
  const std::string& path = head.path;
  if (path == "/checkpoint") {
    return from_project(coordinator_, [this](const Project& project, const Request&) {
      if (checkpoint_.first != project.head().size)
        checkpoint_ = {project.head().size, coordinator_.sign_checkpoint(project.head())};
      return Response::text(200, "text/plain; charset=utf-8", checkpoint_.second);
    });
  }
  if (path.starts_with("/tile/")) {
    const auto tile = ledger::parse_tile_path(std::string_view(path).substr(1));
    if (!tile) return Response::error(404, tile.error().message);
    return from_project(coordinator_, [tile = *tile](const Project& project, const Request&) {
      return tile_response(project, tile);
    });
  }
  if (path == "/v1/project") {
    return from_project(coordinator_, [](const Project& project, const Request&) {
      return Response::json(200, project_json(project));
    });
  }
  if (path == "/v1/leaderboard") {
    return from_project(coordinator_, [this](const Project& project, const Request&) {
      if (leaderboard_.first != project.head().size)
        leaderboard_ = {project.head().size, leaderboard_json(project)};
      return Response::json(200, leaderboard_.second);
    });
  }
  if (path == "/v1/log") {
    return from_project(coordinator_, [](const Project& project, const Request& request) {
      const auto from = number(request, "from", 1);
      if (!from) return Response::error(400, from.error().message);
      const auto count = number(request, "count", 100);
      if (!count) return Response::error(400, count.error().message);
      if (*count > kMaxLogLines)
        return Response::error(400, "count: is over " + std::to_string(kMaxLogLines));
      auto lines = training_log_json(project, *from, *count);
      if (!lines) return Response::try_later(503, "the log cannot be read at present", 30);
      return Response::json(200, *std::move(lines));
    });
  }
  if (path == "/v1/events") return net::EventStream{std::string(kNewsChannel), {}};
  if (const auto digest = after(path, "/v1/blobs/"))
    return stored_file(*digest, [this](const Digest& of) { return blobs_.path(of); });
  if (const auto text = after(path, "/v1/gradients/")) {
    const auto digest = Digest::from_hex(*text);
    if (digest && coordinator_.withdrawn(*digest)) return gone(*digest);
    return stored_file(*text, [this](const Digest& of) { return gradients_.path(of); });
  }
  if (const auto digest = after(path, "/v1/shards/"))
    return stored_file(*digest, [this](const Digest& of) { return shards_.path(of); });
  if (const auto digest = after(path, "/v1/snapshots/"))
    return stored_file(*digest, [this](const Digest& of) { return snapshots_.path(of); });
  if (const auto text = after(path, "/v1/uploads/"))
    return received(*text, [this](const Digest& seal) { return incoming_.received(seal); });
  if (const auto text = after(path, "/v1/states/"))
    return received(*text, [this](const Digest& state) { return disputes_.received(state); });
  return not_found(path);
}

Route Service::put(const Request& head) {
  if (const auto name = after(head.path, "/v1/uploads/")) return put_upload(head, *name);
  if (const auto name = after(head.path, "/v1/states/")) return put_state(head, *name);
  return not_found(head.path);
}

// A piece of a large gradient, from somebody who computes a unit.
Route Service::put_upload(const Request& head, std::string_view name) {
  return piece(incoming_, head, name,
               [this](std::string_view ticket, const Digest&) -> std::optional<Response> {
                 if (const Status may = may_upload(ticket); !may)
                   return Response::error(403, may.error().message);
                 return std::nullopt;
               });
}

// A piece of a training state, from somebody who is about to claim.
Route Service::put_state(const Request& head, std::string_view name) {
  return piece(disputes_.states(), head, name,
               [this](std::string_view ticket, const Digest& state) -> std::optional<Response> {
                 const auto wanted = checked_ticket(ticket, UnitRequest::Kind::state);
                 if (!wanted) return Response::error(403, wanted.error().message);
                 return disputes_.refusal(wanted->author, wanted->unit, state);
               });
}

// A signed request that comes with each piece.
Result<UnitRequest> Service::checked_ticket(std::string_view ticket, UnitRequest::Kind kind) const {
  CAIRN_TRY(const Bytes bytes, from_hex(ticket));
  const auto checked = checked_request(bytes, kind);
  if (!std::holds_alternative<UnitRequest>(checked))
    return Error{std::string(kTicketHeader) + ": is no signed request to send this"};
  CAIRN_CHECK(check_acquaintance(std::get<UnitRequest>(checked).author, kTicketHeader));
  return std::get<UnitRequest>(checked);
}

// Without a lease nobody fills the host's disk.
Status Service::may_upload(std::string_view ticket) const {
  CAIRN_TRY(const UnitRequest wanted, checked_ticket(ticket, UnitRequest::Kind::upload));
  auto holds = std::make_shared<std::promise<bool>>();
  std::future<bool> answer = holds->get_future();
  const bool asked = coordinator_.look([holds, wanted, now = environment_.now()](const Project& project) {
    holds->set_value(project::holds_lease(project, wanted.author, wanted.unit, now));
  });
  holds.reset();  // if nobody looks, nobody is left to answer
  try {
    if (asked && answer.get()) return {};
  } catch (const std::future_error&) {  // the coordinator stops
  }
  return Error{std::string(kTicketHeader) + ": its author holds no lease of that unit; take it first"};
}

Route Service::post(const Request& head) {
  const auto whole = [this](uint64_t max_size, void (Service::*handle)(const Request&, const Reply&)) {
    return WholeBody{max_size, [this, handle](const Request& request, const Reply& reply) {
                       (this->*handle)(request, reply);
                     }};
  };
  if (head.path == "/v1/leases/return") return whole(kMaxRequestSize, &Service::return_unit);
  if (head.path == "/v1/leases") return whole(kMaxRequestSize, &Service::take_unit);
  if (head.path == "/v1/entries")
    return whole(std::min(kMaxWholeSubmission, project::max_submission_size(coordinator_.gradient_size())),
                 &Service::submit);
  if (head.path == "/v1/statements") return whole(kMaxStatementsSize, &Service::say);
  return not_found(head.path);
}

// The request in a body, if it is sound and of that kind; otherwise the answer that refuses it. A stranger's
// work costs less to check than a signature, and comes first.
std::variant<UnitRequest, Response> Service::checked_request(BytesView body, UnitRequest::Kind kind,
                                                             std::string_view join_work) const {
  const auto wanted = decode_request(body);
  if (!wanted) return Response::error(400, wanted.error().message);
  if (wanted->kind != kind) return Response::error(400, "request: kind: is not the one that this path takes");
  if (kind == UnitRequest::Kind::lease && coordinator_.knows(wanted->author) == Acquaintance::stranger) {
    const auto nonce = nonce_of(join_work);
    if (!nonce) return Response::error(400, nonce.error().message);
    const Status worked = coordinator_.check_join_work(wanted->author, *nonce);
    if (!worked) return Response::error(403, worked.error().message);
  }
  const Status checked = check_request(*wanted, coordinator_.project_id(), environment_.now());
  if (!checked) return Response::error(403, checked.error().message);
  return *wanted;
}

// Before anything is decoded or a signature looked at: fresh keys cost their maker nothing.
Status Service::check_acquaintance(const PublicKey& author, std::string_view what) const {
  if (coordinator_.knows(author) != Acquaintance::stranger) return {};
  return Error{std::string(what) +
               ": its author is not in the log and has no unit to compute; take one first"};
}

void Service::take_unit(const Request& request, const Reply& reply) {
  auto checked = checked_request(request.body, UnitRequest::Kind::lease, request.header(kWorkHeader));
  if (auto* refusal = std::get_if<Response>(&checked)) return reply(std::move(*refusal));
  const auto& wanted = std::get<UnitRequest>(checked);
  coordinator_.take_unit(
      wanted.author, wanted.slot, std::string(request.header(kInviteHeader)),
      [reply](const std::variant<project::Lease, Refusal>& answer) {
        if (const auto* refusal = std::get_if<Refusal>(&answer)) return reply(refused(*refusal));
        const auto& lease = std::get<project::Lease>(answer);
        reply(json({{"unit", lease.unit}, {"round", lease.round}, {"expires", lease.expires}}));
      });
}

void Service::return_unit(const Request& request, const Reply& reply) {
  auto checked = checked_request(request.body, UnitRequest::Kind::give_back);
  if (auto* refusal = std::get_if<Response>(&checked)) return reply(std::move(*refusal));
  const auto& wanted = std::get<UnitRequest>(checked);
  coordinator_.return_unit(wanted.author, wanted.unit,
                           [reply](const std::variant<trust::UnitId, Refusal>& answer) {
                             if (const auto* refusal = std::get_if<Refusal>(&answer))
                               return reply(refused(*refusal));
                             reply(json({{"unit", std::get<trust::UnitId>(answer)}}));
                           });
}

void Service::submit(const Request& request, const Reply& reply) {
  auto submission = project::decode_submission(Bytes(request.body));
  if (!submission) return reply(Response::error(400, submission.error().message));
  if (const Status met = check_acquaintance(submission->sealed.author, "submission"); !met)
    return reply(Response::error(409, met.error().message));
  if (submission->gradient.size() == 0) return submit_uploaded(*std::move(submission), reply);
  const auto checked = project::check_submission(coordinator_.project_id(), *submission, gradients_);
  if (!checked) return reply(Response::error(400, checked.error().message));
  auto blob = gradients_.prepare(checked->digest, submission->gradient);
  if (!blob) return reply(disk_fails());
  submit_prepared(*std::move(submission), checked->summary, *std::move(blob), reply);
}

// Its gradient came before, in pieces, and stays until it is in the log or refused for good: who is told to
// come later need not send it again.
void Service::submit_uploaded(project::Submission submission, const Reply& reply) {
  const auto* sealed = std::get_if<ledger::EntrySealed>(&submission.sealed.body);
  const auto* opened = std::get_if<ledger::EntryOpened>(&submission.opened.body);
  if (sealed == nullptr || opened == nullptr)
    return reply(Response::error(400, "statements: no sealed entry with its opening"));
  const Digest seal = sealed->seal, digest = opened->gradient;
  if (incoming_.received(seal) == 0) return coordinator_.submit_known(submission, receipts_to(reply));
  if (const Status by_author = project::check_signature(submission.sealed); !by_author)
    return reply(Response::error(400, by_author.error().message));
  auto taken = incoming_.take(seal, digest, [this](BytesView packed) { return gradients_.unpack(packed); });
  if (auto* refusal = std::get_if<Response>(&taken)) return reply(std::move(*refusal));
  auto& upload = std::get<Incoming::Upload>(taken);
  const Reply let_go([this, seal, reply](Response response) {
    incoming_.let_go(seal, response.status < 500 ? Incoming::Then::remove : Incoming::Then::keep);
    reply(std::move(response));
  });
  const auto checked = project::check_unpacked(coordinator_.project_id(), submission, upload.content, digest);
  if (!checked) return let_go(Response::error(400, checked.error().message));
  submit_prepared(std::move(submission), *checked,
                  PreparedBlob(digest, upload.file, PreparedBlob::Otherwise::stays), let_go);
}

void Service::submit_prepared(project::Submission submission, const work::GradientSummary& gradient,
                              PreparedBlob blob, const Reply& reply) {
  submission.gradient = {};
  coordinator_.submit({std::move(submission), gradient, std::make_shared<PreparedBlob>(std::move(blob))},
                      receipts_to(reply));
}

void Service::say(const Request& request, const Reply& reply) {
  auto statements = decode_statements(request.body);
  if (!statements) return reply(Response::error(400, statements.error().message));
  for (const ledger::Statement& statement : *statements) {
    if (const Status met = check_acquaintance(statement.author, "statement"); !met)
      return reply(Response::error(409, met.error().message));
  }
  const bool stretches = std::ranges::any_of(*statements, [](const ledger::Statement& statement) {
    return std::holds_alternative<ledger::StretchClaimed>(statement.body);
  });
  if (!stretches) return coordinator_.say(*std::move(statements), {}, receipts_to(reply));
  if (statements->size() == 1) return disputes_.claim(statements->front(), reply);
  reply(Response::error(400, "statements: a claim about a stretch is said alone"));
}

}  // namespace cairn::role
