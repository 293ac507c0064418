#include "project/submission.h"

#include <algorithm>

#include "work/gradient_file.h"
#include "work/gradient_store.h"

namespace cairn::project {
namespace {

constexpr std::string_view kMagic = "cairn submission 2\n";
constexpr size_t kMaxStatements = 4;

std::vector<const ledger::Statement*> statements(const Submission& submission) {
  std::vector<const ledger::Statement*> list;
  if (submission.joined) list.push_back(&*submission.joined);
  if (submission.named) list.push_back(&*submission.named);
  list.push_back(&submission.sealed);
  list.push_back(&submission.opened);
  return list;
}

Status place(Submission& submission, ledger::Statement statement) {
  if (std::holds_alternative<ledger::Joined>(statement.body)) {
    submission.joined = std::move(statement);
  } else if (std::holds_alternative<ledger::NameChosen>(statement.body)) {
    submission.named = std::move(statement);
  } else if (std::holds_alternative<ledger::EntrySealed>(statement.body)) {
    submission.sealed = std::move(statement);
  } else if (std::holds_alternative<ledger::EntryOpened>(statement.body)) {
    submission.opened = std::move(statement);
  } else {
    return Error{"a submission holds no \"" + std::string(ledger::kind_name(statement.body)) + "\""};
  }
  return {};
}

// Everything before the gradient.
ByteWriter encode_head(const Submission& submission) {
  ByteWriter writer;
  writer.raw(as_bytes(kMagic));
  const auto list = statements(submission);
  writer.u32(static_cast<uint32_t>(list.size()));
  for (const ledger::Statement* statement : list) writer.blob(ledger::encode(*statement));
  writer.string(submission.name);
  return writer;
}

}  // namespace

Bytes encode(const Submission& submission) {
  ByteWriter writer = encode_head(submission);
  writer.blob(submission.gradient);
  return writer.take();
}

Result<Submission> decode_submission(const SharedBytes& bytes) {
  ByteReader reader(bytes);
  const BytesView magic = reader.raw("magic", kMagic.size());
  if (!std::ranges::equal(magic, as_bytes(kMagic))) {
    return Error{"magic: this is no submission; `cairn gradient` makes them"};
  }
  Submission submission;
  const uint32_t count = reader.count("statements", 4, kMaxStatements);
  for (uint32_t i = 0; i < count; ++i) {
    const BytesView encoded = reader.blob("statement", ledger::kMaxEventSize);
    CAIRN_CHECK(reader.status());
    auto statement = ledger::decode_statement(encoded);
    if (!statement) return statement.error().within("statement " + std::to_string(i + 1));
    CAIRN_CHECK(place(submission, *std::move(statement)));
  }
  submission.name = reader.string("name", kMaxUserNameSize);
  const size_t head = reader.position();
  const BytesView gradient = reader.blob("gradient", work::kMaxGradientFileSize);
  CAIRN_CHECK(reader.finish());
  submission.gradient = bytes.slice(gradient);
  if (!std::ranges::equal(encode_head(submission).bytes(), bytes.view().first(head))) {
    return Error{"statements: not one sealed entry and its opening, in that order"};
  }
  return submission;
}

uint64_t max_submission_size(uint64_t gradient_size) {
  constexpr uint64_t kStatements = kMaxStatements * ledger::kMaxEventSize + 4096;
  return kStatements + work::max_packed_size(gradient_size);
}

}  // namespace cairn::project
