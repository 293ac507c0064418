#include "role/remote.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "data/import.h"

namespace cairn::role {
namespace {

using Json = nlohmann::json;
using net::Failure;
using net::Outcome;

Failure invalid(const std::string& what) {
  return {Failure::Kind::invalid, "the server's answer: " + what};
}

// An answer is a JSON object; what is missing or of another type is named.
Outcome<Json> parse(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return invalid("is no JSON object");
  return json;
}

Outcome<std::string> text_field(const Json& json, const char* name) {
  const auto field = json.find(name);
  if (field == json.end() || !field->is_string()) return invalid(std::string(name) + ": is no text");
  return field->get<std::string>();
}

template <typename T>
Outcome<T> number_field(const Json& json, const char* name) {
  const auto field = json.find(name);
  if (field == json.end() || !field->is_number_unsigned() ||
      field->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<T>::max())) {
    return invalid(std::string(name) + ": is no whole number of the right size");
  }
  return static_cast<T>(field->get<uint64_t>());
}

Outcome<Digest> digest_field(const Json& json, const char* name) {
  CAIRN_TRY(const std::string text, text_field(json, name));
  const auto digest = Digest::from_hex(text);
  if (!digest) return invalid(std::string(name) + ": is no digest");
  return *digest;
}

Outcome<std::vector<ledger::Receipt>> receipts_of(const std::string& text) {
  CAIRN_TRY(const Json json, parse(text));
  const auto list = json.find("receipts");
  if (list == json.end() || !list->is_array()) return invalid("receipts: is no list");
  std::vector<ledger::Receipt> receipts;
  for (const Json& item : *list) {
    CAIRN_TRY(const std::string hex, text_field(item, "receipt"));
    CAIRN_TRY(const Bytes bytes, from_hex(hex));
    CAIRN_TRY(ledger::Receipt receipt, ledger::decode_receipt(bytes));
    receipts.push_back(receipt);
  }
  return receipts;
}

}  // namespace

bool lacks_files(const Failure& failure) {
  return failure.status == 404 || failure.status == 410;
}

class Remote::Files : public BlobOrigin {
 public:
  Files(Remote& remote, std::string folder) : remote_(remote), folder_(std::move(folder)) {}

  // Where files of the same names may lie already.
  void set_own(std::filesystem::path own) { own_ = std::move(own); }

  Status fetch(const Digest& digest, uint64_t max_size, const std::filesystem::path& file) const override {
    net::Download download;
    download.target = folder_ + digest.hex();
    download.file = file;
    download.max_size = max_size;
    // Other processes may work on the same copy: one of them fetches, the rest find the file.
    CAIRN_TRY(const DirectoryLock alone, DirectoryLock::take(file.parent_path()));
    std::error_code error;
    if (std::filesystem::exists(file, error)) return {};
    if (const auto own = own_file(file); std::filesystem::exists(own, error))
      return take(own, max_size, file);
    const std::lock_guard lock(remote_.mutex_);
    const auto done = fetch_into_room(download);
    remote_.failed_fetch_.reset();
    if (done) return {};
    remote_.failed_fetch_ = done.error();
    return done.error();
  }

 private:
  // "own/ab/cdef….zst" of ".../ab/cdef….zst".
  std::filesystem::path own_file(const std::filesystem::path& file) const {
    return own_.empty() ? own_ : own_ / file.parent_path().filename() / file.filename();
  }

  static Status take(const std::filesystem::path& own, uint64_t max_size, const std::filesystem::path& file) {
    std::error_code error;
    std::filesystem::create_hard_link(own, file, error);
    if (!error) return {};
    CAIRN_TRY(const Bytes bytes, read_file(own, max_size));  // it is on another file system
    return write_file(file, bytes);
  }

  // Room is made once, when the answer has said how long the file is.
  Outcome<void> fetch_into_room(net::Download& download) const {
    std::optional<Status> room;
    if (remote_.make_room_) {
      download.progress = [&](uint64_t done, uint64_t total) {
        if (!room) room = remote_.make_room_((total > 0 ? total : download.max_size) - done);
        return room->ok();
      };
    }
    const Outcome<void> done = remote_.client_->download(download);
    if (!done && room && !room->ok()) return room->error();
    return done;
  }

  Remote& remote_;
  std::string folder_;
  std::filesystem::path own_;
};

Remote::Remote(std::unique_ptr<net::Client> client)
    : client_(std::move(client)),
      blobs_(std::make_unique<Files>(*this, "/v1/blobs/")),
      shards_(std::make_unique<Files>(*this, "/v1/shards/")),
      gradients_(std::make_unique<Files>(*this, "/v1/gradients/")),
      snapshots_(std::make_unique<Files>(*this, "/v1/snapshots/")) {}

Remote::~Remote() = default;

Result<std::unique_ptr<Remote>> Remote::open(const std::string& url, net::ClientOptions options) {
  CAIRN_TRY(options.server, net::parse_url(url));
  CAIRN_TRY(auto client, net::Client::open(std::move(options)));
  return std::make_unique<Remote>(std::move(client));
}

void Remote::use_own_data(const std::filesystem::path& folder) {
  shards_->set_own(folder / data::kShardFolder);
}

const BlobOrigin& Remote::blobs() const {
  return *blobs_;
}

const BlobOrigin& Remote::shards() const {
  return *shards_;
}

const BlobOrigin& Remote::gradients() const {
  return *gradients_;
}

const BlobOrigin& Remote::snapshots() const {
  return *snapshots_;
}

net::Failure Remote::explain(const Error& error) const {
  const std::lock_guard lock(mutex_);
  return std::exchange(failed_fetch_, std::nullopt).value_or(net::Failure(error));
}

Outcome<std::string> Remote::text(const std::string& target) {
  const std::lock_guard lock(mutex_);
  CAIRN_TRY(const net::ClientResponse response, client_->get(target));
  return std::string(response.body.begin(), response.body.end());
}

Outcome<Digest> Remote::project() {
  CAIRN_TRY(const std::string answer, text("/v1/project"));
  CAIRN_TRY(const Json json, parse(answer));
  return digest_field(json, "project");
}

Outcome<PublicKey> Remote::coordinator() {
  CAIRN_TRY(const std::string answer, text("/v1/project"));
  CAIRN_TRY(const Json json, parse(answer));
  CAIRN_TRY(const Digest key, digest_field(json, "coordinator"));
  return PublicKey{key.bytes};
}

Outcome<std::string> Remote::leaderboard() {
  return text("/v1/leaderboard");
}

Outcome<std::string> Remote::checkpoint() {
  return text("/checkpoint");
}

Outcome<Bytes> Remote::tile(const ledger::TileId& tile) {
  const std::lock_guard lock(mutex_);
  CAIRN_TRY(net::ClientResponse response,
            client_->get("/" + ledger::tile_path(tile), ledger::kMaxBundleSize));
  return std::move(response.body);
}

Outcome<RemoteLease> Remote::take_unit(const UnitRequest& request) {
  net::Headers headers;
  if (!invite_.empty()) CAIRN_CHECK(headers.set(kInviteHeader, invite_));
  if (join_work_) CAIRN_CHECK(headers.set(kWorkHeader, std::to_string(*join_work_)));
  std::string answer;
  {
    const std::lock_guard lock(mutex_);
    CAIRN_TRY(const net::ClientResponse response,
              client_->request(net::Method::post, "/v1/leases", headers, encode(request)));
    answer.assign(response.body.begin(), response.body.end());
  }
  CAIRN_TRY(const Json json, parse(answer));
  RemoteLease lease;
  CAIRN_TRY(lease.unit, number_field<uint32_t>(json, "unit"));
  CAIRN_TRY(lease.round, number_field<uint32_t>(json, "round"));
  CAIRN_TRY(lease.expires, number_field<int64_t>(json, "expires"));
  return lease;
}

Outcome<void> Remote::return_unit(const UnitRequest& request) {
  const std::lock_guard lock(mutex_);
  CAIRN_CHECK(client_->request(net::Method::post, "/v1/leases/return", {}, encode(request)));
  return {};
}

Outcome<std::vector<ledger::Receipt>> Remote::post(const std::string& target, BytesView body) {
  const std::lock_guard lock(mutex_);
  CAIRN_TRY(const net::ClientResponse response, client_->request(net::Method::post, target, {}, body));
  return receipts_of({response.body.begin(), response.body.end()});
}

Outcome<std::vector<ledger::Receipt>> Remote::submit(BytesView submission) {
  return post("/v1/entries", submission);
}

Outcome<uint64_t> Remote::received(const std::string& upload) {
  CAIRN_TRY(const std::string answer, text(upload));
  CAIRN_TRY(const Json json, parse(answer));
  return number_field<uint64_t>(json, "received");
}

Outcome<uint64_t> Remote::send_piece(const std::string& upload, BytesView bytes, uint64_t first,
                                     const Ticket& ticket) {
  const BytesView piece = bytes.subspan(first, std::min<uint64_t>(piece_size_, bytes.size() - first));
  net::Headers headers;
  CAIRN_CHECK(headers.set("Content-Range", "bytes " + std::to_string(first) + "-" +
                                               std::to_string(first + piece.size() - 1) + "/" +
                                               std::to_string(bytes.size())));
  CAIRN_CHECK(headers.set(kTicketHeader, to_hex(encode(ticket()))));
  std::string answer;
  {
    const std::lock_guard lock(mutex_);
    const auto response = client_->request(net::Method::put, upload, headers, piece);
    // The host has other bytes than it said, or an answer got lost: to be asked again.
    if (!response && response.error().status == 409)
      return Failure(Failure::Kind::network, response.error().message);
    if (!response) return response.error();
    answer.assign(response->body.begin(), response->body.end());
  }
  CAIRN_TRY(const Json json, parse(answer));
  return number_field<uint64_t>(json, "received");
}

Outcome<void> Remote::upload(const std::string& target, BytesView bytes, const Ticket& ticket) {
  CAIRN_TRY(uint64_t sent, received(target));
  while (sent < bytes.size()) {
    CAIRN_TRY(const uint64_t now, send_piece(target, bytes, sent, ticket));
    if (now <= sent) return invalid("received: does not grow with what is sent");
    sent = now;
  }
  return {};
}

Outcome<void> Remote::send_state(const Digest& digest, BytesView state, const Ticket& ticket) {
  return upload("/v1/states/" + digest.hex(), state, ticket);
}

Outcome<std::vector<ledger::Receipt>> Remote::submit(const project::Submission& submission,
                                                     const Ticket& ticket) {
  if (!goes_in_pieces(submission)) return submit(project::encode(submission));
  const Digest& seal = std::get<ledger::EntrySealed>(submission.sealed.body).seal;
  const Outcome<void> sent = upload("/v1/uploads/" + seal.hex(), submission.gradient, ticket);
  // Without a lease: perhaps because it is in the log, and only the answer got lost.
  if (!sent && sent.error().status != 403) return sent.error();
  project::Submission rest = submission;
  rest.gradient = {};
  auto receipts = submit(project::encode(rest));
  if (!receipts && !sent) return sent.error();
  return receipts;
}

Outcome<std::vector<ledger::Receipt>> Remote::say(const std::vector<ledger::Statement>& statements) {
  return post("/v1/statements", encode_statements(statements));
}

}  // namespace cairn::role
