#include "ledger/receipt.h"

#include <string>

namespace cairn::ledger {
namespace {

constexpr std::string_view kDomain = "cairn receipt v1";
constexpr uint16_t kVersion = 1;

void write_signed_part(ByteWriter& writer, const Receipt& receipt) {
  writer.u16(kVersion);
  writer.raw(receipt.project.bytes);
  writer.raw(receipt.event.bytes);
  writer.u64(receipt.index);
  writer.i64(receipt.time);
}

Bytes signed_message(const Receipt& receipt) {
  ByteWriter writer;
  writer.raw(as_bytes(kDomain));
  writer.u8(0);
  write_signed_part(writer, receipt);
  return writer.take();
}

std::string promise(const Receipt& receipt) {
  return "the coordinator signed a receipt for event " + std::to_string(receipt.index) + " (leaf " +
         receipt.event.hex() + ")";
}

Status not_reached(const Receipt& receipt, uint64_t size) {
  return Error{promise(receipt) + ", but its log ends after " + std::to_string(size) + " events"};
}

}  // namespace

Receipt sign_receipt(const SigningKey& coordinator, const Digest& project, const Digest& event,
                     uint64_t index, int64_t time) {
  Receipt receipt{project, event, index, time, {}};
  receipt.signature = coordinator.sign(signed_message(receipt));
  return receipt;
}

bool signature_valid(const Receipt& receipt, const PublicKey& coordinator) {
  return cairn::signature_valid(coordinator, signed_message(receipt), receipt.signature);
}

Bytes encode(const Receipt& receipt) {
  ByteWriter writer;
  write_signed_part(writer, receipt);
  writer.raw(receipt.signature.bytes);
  return writer.take();
}

Result<Receipt> decode_receipt(BytesView bytes) {
  ByteReader reader(bytes);
  if (const uint16_t version = reader.u16("version"); reader.ok() && version != kVersion)
    reader.fail("version", std::to_string(version) + " where this program reads 1");
  Receipt receipt;
  receipt.project.bytes = reader.array<32>("project");
  receipt.event.bytes = reader.array<32>("event");
  receipt.index = reader.u64("index");
  receipt.time = reader.i64("time");
  if (receipt.time < 0) reader.fail("time", "before 1970");
  receipt.signature.bytes = reader.array<64>("signature");
  if (const Status status = reader.finish(); !status) return status.error().within("receipt");
  return receipt;
}

Status check_receipt(const Receipt& receipt, const Digest& project, const PublicKey& coordinator,
                     const Statement& statement) {
  if (receipt.project != project) return Error{"the receipt is of another project"};
  if (!signature_valid(receipt, coordinator))
    return Error{"the receipt is not signed by the project's coordinator"};
  if (receipt.event != leaf_hash(encode(Event{receipt.time, statement})))
    return Error{"the receipt is for another statement than the one that was sent"};
  return {};
}

Status receipt_honoured(const Receipt& receipt, const MerkleTree& log) {
  if (receipt.index >= log.size()) return not_reached(receipt, log.size());
  const Digest& found = log.subtree({0, receipt.index});
  if (found != receipt.event)
    return Error{promise(receipt) + ", but its log has leaf " + found.hex() + " there"};
  return {};
}

Status receipt_honoured(const Receipt& receipt, const LogHead& head, const std::vector<Digest>& proof) {
  if (receipt.index >= head.size) return not_reached(receipt, head.size);
  if (!inclusion_valid(receipt.event, receipt.index, head.size, head.root, proof)) {
    return Error{promise(receipt) + ", but there is no proof that its log of " + std::to_string(head.size) +
                 " events has it there"};
  }
  return {};
}

}  // namespace cairn::ledger
