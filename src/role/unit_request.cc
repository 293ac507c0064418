#include "role/unit_request.h"

#include <cstdlib>

namespace cairn::role {
namespace {

constexpr std::string_view kDomain = "cairn request v1";
constexpr uint16_t kVersion = 1;

Bytes unsigned_bytes(const UnitRequest& request) {
  ByteWriter writer;
  writer.u16(kVersion);
  writer.u8(static_cast<uint8_t>(request.kind));
  writer.raw(request.project.bytes);
  writer.i64(request.time);
  writer.raw(request.author.bytes);
  writer.u32(request.slot);
  writer.u32(request.unit);
  return writer.take();
}

Bytes signed_message(const UnitRequest& request) {
  ByteWriter writer;
  writer.raw(as_bytes(kDomain));
  writer.u8(0);
  writer.raw(unsigned_bytes(request));
  return writer.take();
}

}  // namespace

UnitRequest sign_request(const SigningKey& author, UnitRequest request) {
  request.author = author.public_key();
  request.signature = author.sign(signed_message(request));
  return request;
}

Bytes encode(const UnitRequest& request) {
  ByteWriter writer;
  writer.raw(unsigned_bytes(request));
  writer.raw(request.signature.bytes);
  return writer.take();
}

Result<UnitRequest> decode_request(BytesView bytes) {
  ByteReader reader(bytes);
  UnitRequest request;
  if (reader.u16("version") != kVersion) reader.fail("version", "is not 1");
  const uint8_t kind = reader.u8("kind");
  if (kind < 1 || kind > 4)
    reader.fail("kind", "is none of 1 (lease), 2 (give back), 3 (upload) and 4 (state)");
  request.kind = static_cast<UnitRequest::Kind>(kind);
  request.project.bytes = reader.array<32>("project");
  request.time = reader.i64("time");
  if (request.time < 0) reader.fail("time", "is negative");
  request.author.bytes = reader.array<32>("author");
  request.slot = reader.u32("slot");
  request.unit = reader.u32("unit");
  request.signature.bytes = reader.array<64>("signature");
  if (request.slot >= project::kMaxSlots)
    reader.fail("slot", "is not below " + std::to_string(project::kMaxSlots));
  if (Status status = reader.finish(); !status) return status.error().within("request");
  return request;
}

Status check_request(const UnitRequest& request, const Digest& project, int64_t now) {
  if (request.project != project) return Error{"request: project: is for another project"};
  if (!signature_valid(request.author, signed_message(request), request.signature)) {
    return Error{"request: signature: does not fit the request"};
  }
  const bool early = request.time < now - kMaxClockDifference;
  if (early || request.time > now + kMaxClockDifference) {
    const int64_t seconds = (early ? now - request.time : request.time - now) / 1000;
    return Error{"request: time: the clock of this computer is " + std::to_string(seconds) + " s " +
                 (early ? "behind" : "ahead of") + " the coordinator's; set it"};
  }
  return {};
}

Bytes encode_statements(const std::vector<ledger::Statement>& statements) {
  ByteWriter writer;
  writer.u32(static_cast<uint32_t>(statements.size()));
  for (const ledger::Statement& statement : statements) writer.blob(ledger::encode(statement));
  return writer.take();
}

Result<std::vector<ledger::Statement>> decode_statements(BytesView bytes) {
  ByteReader reader(bytes);
  const uint32_t count = reader.count("statements", 4, kMaxStatements);
  std::vector<ledger::Statement> statements;
  for (uint32_t i = 0; i < count; ++i) {
    const BytesView encoded = reader.blob("statement", ledger::kMaxEventSize);
    CAIRN_CHECK(reader.status());
    auto statement = ledger::decode_statement(encoded);
    if (!statement) return statement.error().within("statement " + std::to_string(i + 1));
    statements.push_back(*std::move(statement));
  }
  CAIRN_CHECK(reader.finish());
  if (statements.empty()) return Error{"statements: there is none"};
  return statements;
}

}  // namespace cairn::role
