#include "data/journal.h"

#include "base/file.h"

namespace cairn::data {
namespace {

constexpr std::string_view kMagic = "cairn import 1";
constexpr uint64_t kMaxJournal = 64 << 20;  // bytes: of 2 * 65536 shards
constexpr size_t kMaxRecord = 1 << 10;
constexpr size_t kSumSize = 8;

// A record: its length as u32, the payload, and the first bytes of the payload's SHA-256. The payload begins
// with one of these.
enum class Record : uint8_t { begun = 0, listed = 1, shard = 2 };

Bytes framed(BytesView payload) {
  ByteWriter writer;
  writer.blob(payload);
  writer.raw(BytesView(sha256(payload).bytes).first(kSumSize));
  return writer.take();
}

ByteWriter begin(Record kind) {
  ByteWriter writer;
  writer.u8(static_cast<uint8_t>(kind));
  return writer;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(const std::filesystem::path& folder, const Digest& what) {
  CAIRN_CHECK(make_directory(folder));
  std::unique_ptr<Journal> journal(new Journal(folder));
  CAIRN_TRY(journal->file_, AppendFile::open(journal->path()));
  CAIRN_TRY(journal->report_, AppendFile::open(journal->report()));
  CAIRN_CHECK(journal->load(what));
  if (!journal->begun_) {
    ByteWriter writer = begin(Record::begun);
    writer.string(kMagic);
    writer.raw(what.bytes);
    CAIRN_CHECK(journal->append(writer.bytes()));
    journal->begun_ = true;
  }
  CAIRN_TRY(const uint64_t written, journal->report_->size());
  if (written < journal->report_size_) {
    return Error{journal->report().string() +
                 ": lacks what the journal says of it; delete the folder and begin again"};
  }
  CAIRN_CHECK(journal->report_->cut(journal->report_size_));
  CAIRN_CHECK(sync_directory(folder));
  return journal;
}

// Reads records as long as they are whole.
Status Journal::load(const Digest& what) {
  CAIRN_TRY(const Bytes bytes, read_file(path(), kMaxJournal));
  ByteReader reader(bytes);
  uint64_t whole = 0;
  while (reader.remaining() > 0) {
    const BytesView payload = reader.blob("record", kMaxRecord);
    const auto sum = reader.array<kSumSize>("sum");
    const Digest digest = sha256(payload);
    if (!reader.ok() || !std::equal(sum.begin(), sum.end(), digest.bytes.begin())) break;
    Status status;
    if (!take(payload, what, status)) break;
    CAIRN_CHECK(status);
    whole = reader.position();
  }
  return file_->cut(whole);
}

// False for a record that none of ours is. `status` tells of one that belongs to another import.
bool Journal::take(BytesView payload, const Digest& what, Status& status) {
  ByteReader reader(payload);
  const auto kind = static_cast<Record>(reader.u8("kind"));
  if (kind == Record::begun) {
    begun_ = reader.string("magic", kMagic.size()) == kMagic;
    if (!begun_ || reader.array<32>("what") != what.bytes) {
      status = Error{folder_.string() +
                     ": is of an import that was begun with another source or other options; "
                     "finish it with those, or delete the folder"};
    }
    return true;
  }
  if (!begun_) return false;
  if (kind == Record::listed) {
    const uint64_t train = reader.u64("train");
    counts_ = std::pair(train, reader.u64("test"));
  } else if (kind == Record::shard) {
    const auto split = static_cast<Split>(reader.u8("split"));
    const uint64_t number = reader.u64("number");
    Shard& shard = shards_[{split, number}];
    shard.count = reader.u32("count");
    shard.samples.bytes = reader.array<32>("samples");
    shard.index.bytes = reader.array<32>("index");
  } else {
    return false;
  }
  report_size_ = reader.u64("report");
  lines_ = reader.u64("lines");
  return reader.finish().ok();
}

Status Journal::append(BytesView payload) {
  CAIRN_CHECK(file_->append(framed(payload)));
  return file_->sync();
}

Status Journal::restart_listing() {
  report_size_ = lines_ = 0;
  return report_->cut(0);
}

Status Journal::skip(const Skipped& skipped) {
  const std::string line = report_line(skipped);
  CAIRN_CHECK(report_->append(as_bytes(line)));
  report_size_ += line.size();
  ++lines_;
  return {};
}

Status Journal::set_listed(uint64_t train, uint64_t test) {
  CAIRN_CHECK(report_->sync());
  ByteWriter writer = begin(Record::listed);
  for (const uint64_t number : {train, test, report_size_, lines_}) writer.u64(number);
  CAIRN_CHECK(append(writer.bytes()));
  counts_ = std::pair(train, test);
  return {};
}

Status Journal::check_listed(uint64_t train, uint64_t test) const {
  if (counts_ == std::pair(train, test)) return {};
  return Error{folder_.string() + ": was begun when the source had " + std::to_string(counts_->first) +
               " and " + std::to_string(counts_->second) + " samples, and now it has " +
               std::to_string(train) + " and " + std::to_string(test) +
               "; delete the folder and begin again"};
}

std::optional<Shard> Journal::shard(Split split, uint64_t number) const {
  const auto found = shards_.find({split, number});
  return found == shards_.end() ? std::nullopt : std::optional(found->second);
}

Status Journal::add(Split split, uint64_t number, const Shard& shard, const std::vector<Skipped>& skipped) {
  for (const Skipped& one : skipped) CAIRN_CHECK(skip(one));
  if (!skipped.empty()) CAIRN_CHECK(report_->sync());
  ByteWriter writer = begin(Record::shard);
  writer.u8(static_cast<uint8_t>(split));
  writer.u64(number);
  writer.u32(shard.count);
  writer.raw(shard.samples.bytes);
  writer.raw(shard.index.bytes);
  writer.u64(report_size_);
  writer.u64(lines_);
  CAIRN_CHECK(append(writer.bytes()));
  shards_[{split, number}] = shard;
  return {};
}

}  // namespace cairn::data
