#include "role/replies.h"

#include "base/json.h"

namespace cairn::role {

using net::Response;

Response too_much_waits() {
  return Response::try_later(503, "too much is waiting; try again later", 1);
}

Response disk_fails() {
  return Response::try_later(503, "the host cannot write to its disk", 30);
}

Response no_digest() {
  return Response::error(400, "the last part of the path is no digest of 64 hexadecimal digits");
}

Response received_response(uint64_t bytes) {
  return Response::json(200, Json{{"received", bytes}}.dump() + "\n");
}

Response refused(const Refusal& refusal) {
  switch (refusal.kind) {
    case Refusal::Kind::refused:
      return Response::error(409, refusal.message);
    case Refusal::Kind::forbidden:
      return Response::error(403, refusal.message);
    case Refusal::Kind::busy:
      return Response::try_later(503, refusal.message, 1);
    case Refusal::Kind::broken:
      return Response::try_later(503, "the coordinator cannot write to its disk; try again later", 30);
  }
  return Response::error(500, refusal.message);
}

Answer<std::vector<ledger::Receipt>> receipts_to(const net::Reply& reply) {
  return [reply](const std::variant<std::vector<ledger::Receipt>, Refusal>& answer) {
    if (const auto* refusal = std::get_if<Refusal>(&answer)) return reply(refused(*refusal));
    Json list = Json::array();
    for (const ledger::Receipt& receipt : std::get<std::vector<ledger::Receipt>>(answer))
      list.push_back({{"index", receipt.index}, {"receipt", to_hex(ledger::encode(receipt))}});
    reply(Response::json(200, Json{{"receipts", list}}.dump() + "\n"));
  };
}

}  // namespace cairn::role
