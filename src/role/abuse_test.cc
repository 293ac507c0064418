// What strangers and neighbours may try against a whole host: each has a limit, a status code and one clear
// error, changes nothing, and honest work goes on.
#include <gmock/gmock.h>

#include "ledger/join_work.h"
#include "net/testing.h"
#include "project/draft.h"
#include "role/testing.h"

namespace cairn::role {
namespace {

using net::testing::RawClient;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Abuse : public testing::Test {
 protected:
  explicit Abuse(const std::string& settings = "")
      : workshop(settings), host(workshop.host({.quorum = 99})) {}

  // The answer to those bytes, until the host closes.
  std::string ask(const std::string& text) const {
    RawClient client(host->port());
    client.send(text);
    client.end_sending();
    return client.read_all();
  }
  std::string get(const std::string& target) const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  }
  std::string post(const std::string& target, BytesView body, const std::string& headers = "") const {
    return ask("POST " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + headers +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               std::string(body.begin(), body.end()));
  }

  void expect_refused(const std::string& answer, int status, const std::string& sentence = "") const {
    EXPECT_EQ(net::testing::status_of(answer), status) << net::escaped(answer);
    EXPECT_THAT(answer, AllOf(HasSubstr("{\"error\": \""), HasSubstr(sentence)));
    EXPECT_EQ(
        std::count(answer.begin() + static_cast<std::ptrdiff_t>(answer.find("\r\n\r\n")), answer.end(), '\n'),
        3);  // one line
    EXPECT_EQ(size(), before) << "a refusal changed the log";
  }

  uint64_t size() const { return workshop.open(workshop.directory()).head().size; }

  UnitRequest request(const SigningKey& key) const {
    UnitRequest request;
    request.project = host->coordinator().project_id();
    request.time = system_environment().now();
    return sign_request(key, request);
  }

  Workshop workshop;
  std::unique_ptr<Host> host;
  uint64_t before = size();
};

TEST_F(Abuse, UnknownPathsAndWrongMethods) {
  for (const std::string path : {"/", "/v1", "/v1/secret", "/study/ledger.sqlite", "/v1/blobs/"})
    EXPECT_EQ(net::testing::status_of(get(path)), path == "/v1/blobs/" ? 400 : 404) << path;
  expect_refused(get("/v2/project"), 404, "docs/formats/protocol.md");
  expect_refused(get("/v1/blobs/" + std::string(64, '0')), 404, "there is no file of digest");
  expect_refused(get("/v1/blobs/zz"), 400, "no digest");
  expect_refused(get("/tile/0/001"), 404);
  expect_refused(get("/tile/0/1"), 404);
  expect_refused(get("/v1/log?from=x"), 400, "from: ");
  expect_refused(get("/v1/log?count=101"), 400, "count: is over 100");
  expect_refused(ask("DELETE /v1/project HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
  expect_refused(post("/v1/nothing", {}), 404);
}

TEST_F(Abuse, NoPathLeadsOutOfTheProject) {
  for (const std::string path :
       {"/v1/blobs/../../ledger.sqlite", "/v1/blobs/..%2f..%2fledger.sqlite", "/../../etc/passwd",
        "//etc/passwd", "/v1/shards/./x", "/tile/../ledger.sqlite", "/v1/uploads/..\\..\\x"}) {
    expect_refused(get(path), 400);
  }
  expect_refused(get("/tile/entries/..."), 404);
}

TEST_F(Abuse, BodiesOfAWrongLengthOrForm) {
  const Bytes junk(100, 7);
  for (const std::string path : {"/v1/leases", "/v1/leases/return", "/v1/entries", "/v1/statements"}) {
    expect_refused(post(path, junk), 400);
    expect_refused(post(path, {}), 400);
    expect_refused(ask("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n"), 413);
    expect_refused(ask("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"), 400);
    expect_refused(ask("POST " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"), 411);
    // Less than was announced: nobody waits for an answer any more.
    EXPECT_EQ(ask("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nx"), "");
  }
  const std::string upload = "/v1/uploads/" + std::string(64, 'a');
  for (const std::string range : {"", "bytes 0-9/5", "bytes 9-0/20", "bytes 0-98/100", "lines 0-99/100"}) {
    expect_refused(ask("PUT " + upload + " HTTP/1.1\r\nHost: h\r\nContent-Range: " + range +
                       "\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x')),
                   400);
  }
  expect_refused(ask("PUT " + upload +
                     " HTTP/1.1\r\nHost: h\r\nContent-Range: bytes 0-99/100\r\n"
                     "Content-Length: 100\r\n\r\n" +
                     std::string(100, 'x')),
                 403, "Cairn-Request");
  EXPECT_EQ(size(), before);
}

TEST_F(Abuse, HeadersThatAreTooLargeOrBroken) {
  expect_refused(get("/v1/project?" + std::string(5000, 'a')), 414);
  expect_refused(ask("GET /v1/project HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n"),
                 431);
  expect_refused(ask("GET /v1/project HTTP/1.1\r\nHost: h\r\nCairn-Invite: a\rb\r\n\r\n"), 400);
  expect_refused(ask("GET /v1/project HTTP/1.1\r\nHost: h\r\nCairn-Invite: a\n b\r\n\r\n"), 400);
  const SigningKey key = SigningKey::generate();
  expect_refused(post("/v1/leases", encode(request(key)), "Cairn-Join-Work: many\r\n"), 400,
                 "Cairn-Join-Work");
}

TEST_F(Abuse, RequestsOfAWrongClock) {
  const SigningKey key = SigningKey::generate();
  for (const int64_t minutes : {-11, 11, -1'000'000, 1'000'000'000}) {
    UnitRequest wrong = request(key);
    wrong.time = std::max<int64_t>(0, wrong.time + minutes * 60'000);
    expect_refused(post("/v1/leases", encode(sign_request(key, wrong))), 403,
                   "the clock of this computer is");
  }
}

// Whoever overhears a request can send it again, and do no more than its author did.
TEST_F(Abuse, ReplayedAndReorderedRequestsDoNoHarm) {
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  const Bytes take = encode(sign_request(*ada.key, ada.request()));
  UnitRequest back = ada.request();
  back.kind = UnitRequest::Kind::give_back;
  const std::string first = post("/v1/leases", take);
  EXPECT_EQ(net::testing::status_of(first), 200);
  const std::string lease = first.substr(first.find("\r\n\r\n") + 4);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(post("/v1/leases", take), HasSubstr(lease));
  EXPECT_NE(must(ben.remote->take_unit(sign_request(*ben.key, ben.request()))).unit, back.unit);
  const Bytes give = encode(sign_request(*ada.key, back));
  expect_refused(post("/v1/leases", give), 400, "kind");
  expect_refused(post("/v1/leases/return", take), 400, "kind");
  EXPECT_EQ(net::testing::status_of(post("/v1/leases/return", give)), 200);
  expect_refused(post("/v1/leases/return", give), 409, "is not leased to this user");

  const auto next = must(ada.remote->take_unit(sign_request(*ada.key, ada.request())));
  const auto file = must(ada.trainer().gradient(next.round, next.unit, {}));
  const Bytes entry =
      project::encode(must(project::make_submission(ada.replica->project(), *ada.key, "ada", file)));
  const std::string accepted = post("/v1/entries", entry);
  EXPECT_EQ(net::testing::status_of(accepted), 200);
  const uint64_t after = size();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(net::testing::status_of(post("/v1/entries", entry)), 200);
  EXPECT_EQ(size(), after);  // the same receipts again
}

// Fresh keys without a lease, whatever they say, cost a look at a list.
TEST_F(Abuse, StrangersAreTurnedAway) {
  Person ada(workshop, *host, "ada");
  const auto file = must(ada.trainer().gradient(0, 5, {}));
  const Bytes entry =
      project::encode(must(project::make_submission(ada.replica->project(), *ada.key, "ada", file)));
  expect_refused(post("/v1/entries", entry), 409, "is not in the log and has no unit to compute");
  const auto claim = ada.replica->project().sign(*ada.key, ledger::ClaimFiled{1, Digest{}});
  expect_refused(post("/v1/statements", encode_statements({claim})), 409, "is not in the log");
  UnitRequest upload = request(*ada.key);
  upload.kind = UnitRequest::Kind::upload;
  expect_refused(
      ask("PUT /v1/uploads/" + sha256(entry).hex() +
          " HTTP/1.1\r\nHost: h\r\nCairn-Request: " + to_hex(encode(sign_request(*ada.key, upload))) +
          "\r\nContent-Range: bytes 0-99/100\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x')),
      403, "is not in the log");
  must(ada.remote->take_unit(sign_request(*ada.key, ada.request())));
  EXPECT_EQ(net::testing::status_of(post("/v1/entries", entry)), 200);
}

// A newcomer who takes long over the first unit is no stranger, not even to a host that was started again.
TEST_F(Abuse, GuestsAreKnownAfterARestart) {
  Person ada(workshop, *host, "ada");
  const RemoteLease lease = must(ada.remote->take_unit(sign_request(*ada.key, ada.request())));
  const auto file = must(ada.trainer().gradient(lease.round, lease.unit, {}));
  const Bytes entry =
      project::encode(must(project::make_submission(ada.replica->project(), *ada.key, "ada", file)));
  host.reset();
  host = workshop.host({.quorum = 99});
  EXPECT_EQ(host->coordinator().knows(ada.key->public_key()), Acquaintance::guest);
  EXPECT_EQ(net::testing::status_of(post("/v1/entries", entry)), 200);
  EXPECT_EQ(host->coordinator().knows(ada.key->public_key()), Acquaintance::known);
}

class AbuseWithWork : public Abuse {
 protected:
  AbuseWithWork() : Abuse("[trust]\njoin_work = 8\n") {}
};

// Otherwise fresh keys would hold units for nothing.
TEST_F(AbuseWithWork, AFreshKeyGetsAUnitForItsWorkAlone) {
  const Digest project = host->coordinator().project_id();
  EXPECT_THAT(get("/v1/project"), HasSubstr("\"join_work\":8"));
  SigningKey key = SigningKey::generate();
  while (ledger::join_work(project, key.public_key(), 7) >= 8) key = SigningKey::generate();
  UnitRequest unsigned_request = request(key);
  unsigned_request.signature = {};
  expect_refused(post("/v1/leases", encode(request(key))), 403, "a proof of work of 8 bits");
  expect_refused(post("/v1/leases", encode(request(key)), "Cairn-Join-Work: 7\r\n"), 403, "proof of work");
  // Looked at before the signature, which costs more.
  expect_refused(post("/v1/leases", encode(unsigned_request)), 403, "proof of work");
  const uint64_t nonce = must(ledger::find_join_nonce(project, key.public_key(), 8, {}));
  EXPECT_THAT(post("/v1/leases", encode(request(key)), "Cairn-Join-Work: " + std::to_string(nonce) + "\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(AbuseWithWork, AContributorDoesTheWork) {
  Person ada(workshop, *host, "ada");
  const Status contributed = ada.contribute(2);
  EXPECT_TRUE(contributed.ok()) << contributed.error().message;
}

// A flood of registrations fills the newcomers' own queue and share, and known users work on.
TEST_F(Abuse, AFloodOfRegistrationsDoesNotKeepKnownUsersOut) {
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  std::atomic<bool> over = false;
  std::atomic<int> asked = 0;
  std::vector<std::thread> flood;
  for (int i = 0; i < 4; ++i) {
    flood.emplace_back([&] {
      while (!over) {
        const int status =
            net::testing::status_of(post("/v1/leases", encode(request(SigningKey::generate()))));
        EXPECT_TRUE(status == 200 || status == 409 || status == 503) << status;
        ++asked;
      }
    });
  }
  EXPECT_TRUE(net::testing::eventually([&] { return asked > 50; }));
  const Status contributed = ada.contribute(3);
  EXPECT_TRUE(contributed.ok()) << contributed.error().message;
  over = true;
  for (std::thread& thread : flood) thread.join();
}

}  // namespace
}  // namespace cairn::role
