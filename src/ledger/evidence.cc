#include "ledger/evidence.h"

#include <algorithm>

namespace cairn::ledger {
namespace {

constexpr std::string_view kMagic = "cairn evidence 1\n";
enum class Kind : uint8_t { split_view = 1, broken_receipt = 2 };

// -- Bytes

void write_proof(ByteWriter& writer, const std::vector<Digest>& proof) {
  writer.u32(static_cast<uint32_t>(proof.size()));
  for (const Digest& hash : proof) writer.raw(hash.bytes);
}

std::vector<Digest> read_proof(ByteReader& reader) {
  std::vector<Digest> proof(reader.count("proof", 32, kMaxProofSize));
  for (Digest& hash : proof) hash.bytes = reader.array<32>("proof");
  return proof;
}

void write_lie(ByteWriter& writer, const SplitView& lie) {
  writer.u8(static_cast<uint8_t>(Kind::split_view));
  writer.string(lie.smaller);
  writer.string(lie.larger);
  writer.raw(lie.beginning.bytes);
  write_proof(writer, lie.proof);
}

void write_lie(ByteWriter& writer, const BrokenReceipt& lie) {
  writer.u8(static_cast<uint8_t>(Kind::broken_receipt));
  writer.blob(encode(lie.receipt));
  writer.string(lie.checkpoint);
  writer.raw(lie.found.bytes);
  write_proof(writer, lie.proof);
}

SplitView read_split_view(ByteReader& reader) {
  SplitView lie;
  lie.smaller = reader.string("smaller", kMaxNoteSize);
  lie.larger = reader.string("larger", kMaxNoteSize);
  lie.beginning.bytes = reader.array<32>("beginning");
  lie.proof = read_proof(reader);
  return lie;
}

Result<BrokenReceipt> read_broken_receipt(ByteReader& reader) {
  BrokenReceipt lie;
  const BytesView receipt = reader.blob("receipt", kReceiptSize);
  CAIRN_CHECK(reader.status());
  CAIRN_TRY(lie.receipt, decode_receipt(receipt));
  lie.checkpoint = reader.string("checkpoint", kMaxNoteSize);
  lie.found.bytes = reader.array<32>("found");
  lie.proof = read_proof(reader);
  return lie;
}

Result<Statement> read_statement(ByteReader& reader, const char* field) {
  const BytesView bytes = reader.blob(field, kMaxEventSize);
  CAIRN_CHECK(reader.status());
  auto statement = decode_statement(bytes);
  if (!statement) return statement.error().within(field);
  return statement;
}

Result<Evidence> read_evidence(ByteReader& reader) {
  Evidence evidence;
  const BytesView magic = reader.raw("magic", kMagic.size());
  if (!std::ranges::equal(magic, as_bytes(kMagic)))
    return Error{"magic: this is no evidence against a coordinator"};
  CAIRN_TRY(evidence.genesis, read_statement(reader, "genesis"));
  const uint8_t moved = reader.u8("moved");
  if (moved > 1) reader.fail("moved", "is neither 0 nor 1");
  if (reader.ok() && moved == 1) {
    CAIRN_TRY(evidence.moved, read_statement(reader, "moved"));
  }
  const auto kind = static_cast<Kind>(reader.u8("kind"));
  if (kind == Kind::split_view) {
    evidence.lie = read_split_view(reader);
  } else if (kind == Kind::broken_receipt) {
    CAIRN_TRY(evidence.lie, read_broken_receipt(reader));
  } else {
    reader.fail("kind", "is neither 1 (two histories) nor 2 (a broken receipt)");
  }
  CAIRN_CHECK(reader.finish());
  return evidence;
}

// -- What it proves

// Whose word it is, and about which project.
Result<Conviction> accused(const Evidence& evidence) {
  const auto* genesis = std::get_if<Genesis>(&evidence.genesis.body);
  if (genesis == nullptr || !signature_valid(evidence.genesis))
    return Error{"genesis: is no signed beginning of a project"};
  Conviction conviction{statement_digest(evidence.genesis), genesis->coordinator, ""};
  if (!evidence.moved) return conviction;
  const auto* moved = std::get_if<CoordinatorMoved>(&evidence.moved->body);
  if (moved == nullptr || evidence.moved->author != genesis->root ||
      evidence.moved->project != conviction.project || !signature_valid(*evidence.moved)) {
    return Error{"moved: is no word of this project's root about its coordinator"};
  }
  conviction.coordinator = moved->coordinator;
  return conviction;
}

Result<LogHead> signed_head(const std::string& note, const Conviction& by, const char* field) {
  const auto checkpoint = open_checkpoint(note, log_key(by.project, by.coordinator));
  if (!checkpoint) return checkpoint.error().within(field);
  return checkpoint->head;
}

std::string head_text(const LogHead& head) {
  return "a log of " + std::to_string(head.size) + " events with root " + head.root.hex();
}

Result<std::string> prove(const SplitView& lie, const Conviction& by) {
  CAIRN_TRY(const LogHead smaller, signed_head(lie.smaller, by, "smaller"));
  CAIRN_TRY(const LogHead larger, signed_head(lie.larger, by, "larger"));
  if (smaller.size > larger.size) return Error{"smaller: is a log of more events than the larger one"};
  if (!consistency_valid(smaller.size, lie.beginning, larger.size, larger.root, lie.proof))
    return Error{"proof: does not show how the larger log begins"};
  if (lie.beginning == smaller.root)
    return Error{"beginning: is what the smaller log says, too; the two logs do not contradict each other"};
  return "signed two histories: " + head_text(smaller) + ", and " + head_text(larger) + " whose first " +
         std::to_string(smaller.size) + " have root " + lie.beginning.hex();
}

Result<std::string> prove(const BrokenReceipt& lie, const Conviction& by) {
  if (lie.receipt.project != by.project) return Error{"receipt: is of another project"};
  if (!signature_valid(lie.receipt, by.coordinator))
    return Error{"receipt: is not signed by the project's coordinator"};
  CAIRN_TRY(const LogHead log, signed_head(lie.checkpoint, by, "checkpoint"));
  if (lie.receipt.index >= log.size)
    return Error{"checkpoint: is of a log that ends before the receipt's event"};
  if (!inclusion_valid(lie.found, lie.receipt.index, log.size, log.root, lie.proof))
    return Error{"proof: does not show what the log has in the receipt's place"};
  if (lie.found == lie.receipt.event)
    return Error{"found: is the receipt's event, so the log keeps its word"};
  return "broke its word: it signed a receipt for event " + std::to_string(lie.receipt.index) + " (leaf " +
         lie.receipt.event.hex() + "), and " + head_text(log) + " that has leaf " + lie.found.hex() +
         " there";
}

}  // namespace

Bytes encode(const Evidence& evidence) {
  ByteWriter writer;
  writer.raw(as_bytes(kMagic));
  writer.blob(encode(evidence.genesis));
  writer.u8(evidence.moved ? 1 : 0);
  if (evidence.moved) writer.blob(encode(*evidence.moved));
  std::visit([&](const auto& lie) { write_lie(writer, lie); }, evidence.lie);
  return writer.take();
}

Result<Evidence> decode_evidence(BytesView bytes) {
  ByteReader reader(bytes);
  auto evidence = read_evidence(reader);
  if (!evidence) return evidence.error().within("evidence");
  return evidence;
}

Result<Conviction> check_evidence(const Evidence& evidence) {
  CAIRN_TRY(Conviction conviction, accused(evidence));
  CAIRN_TRY(conviction.lie,
            std::visit([&](const auto& lie) { return prove(lie, conviction); }, evidence.lie));
  return conviction;
}

}  // namespace cairn::ledger
