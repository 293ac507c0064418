// Coordinators who lie, each played against people who followed them while they were honest.
#include <gmock/gmock.h>

#include "base/file.h"
#include "ledger/memory_store.h"
#include "project/verification.h"
#include "role/testing.h"

namespace cairn::role {
namespace {

using ::testing::HasSubstr;

// Serves whatever log it is given, under the coordinator's own key, and asks no rules.
class ForgedHost {
 public:
  ForgedHost(const Workshop& workshop, const std::filesystem::path& directory,
             std::vector<ledger::Event> events)
      : key_(workshop.key(project::kCoordinatorKey)),
        id_(ledger::statement_digest(events.at(0).statement)),
        blobs_(directory / "blobs"),
        gradients_(directory / "gradients"),
        shards_(directory / "shards"),
        store_(must(ledger::open_memory_store(std::make_shared<ledger::MemoryDisk>()))) {
    auto transaction = must(store_->begin());
    for (const ledger::Event& event : events) must(transaction.append(event));
    must(transaction.commit());
    server_ = must(net::Server::start({}, [this](const net::Request& head) { return route(head); }));
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

 private:
  net::Route route(const net::Request& head) {
    const std::string& path = head.path;
    const auto named = [&](size_t prefix) { return Digest::from_hex(path.substr(prefix)).value(); };
    if (path == "/v1/project") {
      return net::Response::json(200, "{\"project\": \"" + id_.hex() + "\", \"coordinator\": \"" +
                                          to_hex(key_.public_key().bytes) + "\"}");
    }
    if (path == "/checkpoint")
      return net::Response::text(200, "text/plain", ledger::sign_checkpoint(id_, store_->head(), key_));
    if (path.starts_with("/v1/blobs/")) return file(blobs_.path(named(10)));
    if (path.starts_with("/v1/gradients/")) return file(gradients_.path(named(14)));
    if (path.starts_with("/v1/shards/")) return file(shards_.path(named(11)));
    const auto tile = ledger::parse_tile_path(path.substr(1));
    if (!tile || !ledger::tile_exists(*tile, store_->size()))
      return net::Response::error(404, "no such tile");
    return net::Response::bytes("application/octet-stream", must(ledger::read_tile(*store_, *tile)));
  }
  static net::Route file(const std::filesystem::path& path) {
    auto response = net::Response::file(path, "application/octet-stream");
    return response ? *std::move(response) : net::Response::error(404, "no such file");
  }

  SigningKey key_;
  Digest id_;
  BlobStore blobs_, gradients_;
  data::ShardStore shards_;
  std::unique_ptr<ledger::Store> store_;
  std::unique_ptr<net::Server> server_;  // last: it uses the others
};

class Liars : public testing::Test {
 protected:
  explicit Liars(const std::string& settings = "") : workshop(settings) {}

  // The project as it is now, for a coordinator who wants to go on from here twice.
  void copy(const std::string& name) {
    std::filesystem::copy(workshop.directory(), workshop.path(name),
                          std::filesystem::copy_options::recursive);
  }
  std::vector<ledger::Event> log() const { return workshop.open(workshop.directory()).events(); }

  // A statement by the coordinator's key at the end of that log.
  void forge(std::vector<ledger::Event>& events, const ledger::Body& body) const {
    ledger::MerkleTree tree;
    for (const ledger::Event& event : events) tree.append(ledger::leaf_hash(ledger::encode(event)));
    const Digest project = ledger::statement_digest(events[0].statement);
    events.push_back({events.back().time, ledger::sign_statement(workshop.key(project::kCoordinatorKey),
                                                                 project, {tree.size(), tree.root()}, body)});
  }

  // What somebody says who followed the honest log and comes back to that URL; nothing if all seems well.
  std::string come_back(const std::string& who, const std::string& url, bool verify = false) {
    const auto remote = must(Remote::open(url));
    const auto replica = Replica::open(*remote, workshop.path("cache of " + who), system_environment());
    if (!replica) return replica.error().message;
    if (!verify) return "";
    const auto verified = project::verify((*replica)->project(), {});
    return verified ? "" : verified.error().message;
  }
  std::string come_back(const std::string& who, const Host& host) {
    return come_back(who, "http://127.0.0.1:" + std::to_string(host.port()));
  }

  // What the evidence proves that a sentence names.
  std::string convicted_of(const std::string& sentence) {
    const size_t begin = sentence.find("; /"), end = sentence.find(" convicts it before anybody");
    if (begin == std::string::npos || end == std::string::npos) return "no file in: " + sentence;
    const auto file = must(read_file(sentence.substr(begin + 2, end - begin - 2), ledger::kMaxEvidenceSize));
    const auto conviction = ledger::check_evidence(must(ledger::decode_evidence(file)));
    return conviction ? conviction->lie : conviction.error().message;
  }

  Workshop workshop;
};

class LiarsUnderAStrictPolicy : public Liars {
 protected:
  LiarsUnderAStrictPolicy() : Liars("[trust]\nquorum = 3\n") {}
};

TEST_F(Liars, OneWhoRewritesHistoryIsConvicted) {
  auto host = workshop.host({.quorum = 9});
  {
    Person ada(workshop, *host, "ada");
    ASSERT_TRUE(ada.contribute(1).ok());
  }
  host.reset();
  copy("before");
  host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  must(ada.replica->sync());
  const uint64_t first_other = ada.replica->project().head().size - 1;
  ada.replica.reset();
  host.reset();
  const auto rewritten = workshop.host({.quorum = 9}, workshop.path("before"));
  Person ben(workshop, *rewritten, "ben");
  ASSERT_TRUE(ben.contribute(2).ok());
  const std::string said = come_back("ada", *rewritten);
  EXPECT_THAT(said, HasSubstr("does not continue the one of"));
  EXPECT_THAT(said, HasSubstr("the first event that differs is event " + std::to_string(first_other) +
                              ", entry sealed"));
  EXPECT_THAT(convicted_of(said), HasSubstr("two histories"));
}

TEST_F(Liars, OneWhoGoesBackInTimeIsNoticed) {
  copy("before");
  auto host = workshop.host({.quorum = 9});
  {
    Person ada(workshop, *host, "ada");
    ASSERT_TRUE(ada.contribute(1).ok());
    must(ada.replica->sync());
  }
  host.reset();
  const auto older = workshop.host({.quorum = 9}, workshop.path("before"));
  EXPECT_THAT(come_back("ada", *older), HasSubstr("were dropped, the first is event 2, joined"));
}

// Ada's program ends before she sees her entry in the log.
TEST_F(Liars, OneWhoDropsAnAcknowledgedEntryIsConvictedByItsReceipt) {
  copy("before");
  auto host = workshop.host({.quorum = 9});
  {
    Person ada(workshop, *host, "ada");
    ASSERT_TRUE(ada.contribute(1).ok());
    EXPECT_EQ(ada.replica->project().head().size, 2u);  // not there yet
  }
  host.reset();
  const auto forgetful = workshop.host({.quorum = 9}, workshop.path("before"));
  EXPECT_THAT(come_back("ada", *forgetful),
              HasSubstr("signed a receipt for event 2 (leaf "));  // "but its log ends after 2 events"
  Person ben(workshop, *forgetful, "ben");
  ASSERT_TRUE(ben.contribute(2).ok());
  const std::string said = come_back("ada", *forgetful);
  EXPECT_THAT(said, HasSubstr("there (event 2, joined)"));
  EXPECT_THAT(convicted_of(said), HasSubstr("receipt for event 2"));
  EXPECT_EQ(come_back("cleo", *forgetful), "");  // who was promised nothing
}

TEST_F(Liars, OneWhoShowsTwoPeopleTwoLogsIsConvictedOnceTheyCompare) {
  copy("other");
  const auto host = workshop.host({.quorum = 9});
  const auto other = workshop.host({.quorum = 9}, workshop.path("other"));
  Person ada(workshop, *host, "ada"), ben(workshop, *other, "ben");
  ASSERT_TRUE(ada.contribute(2).ok());
  ASSERT_TRUE(ben.contribute(1).ok());
  must(ada.replica->sync());
  must(ben.replica->sync());
  const Status seen_by_ada = ada.replica->compare(ben.replica->checkpoint());
  ASSERT_FALSE(seen_by_ada.ok());
  EXPECT_THAT(seen_by_ada.error().message,
              HasSubstr("another history for others, with root " + ben.replica->project().head().root.hex()));
  EXPECT_THAT(convicted_of(seen_by_ada.error().message), HasSubstr("two histories"));
  // Ben's is shorter, so he has to see more of it first.
  EXPECT_THAT(ben.replica->compare(ada.replica->checkpoint()).error().message, HasSubstr("shows one of"));
  EXPECT_TRUE(ada.replica->compare(ada.replica->checkpoint()).ok());
  EXPECT_THAT(come_back("ada", *other), HasSubstr("the first event that differs is event 2, joined"));
}

TEST_F(Liars, OneWhoShowsAnotherHistoryOfTheSameLengthIsConvicted) {
  copy("other");
  auto host = workshop.host({.quorum = 9});
  const auto other = workshop.host({.quorum = 9}, workshop.path("other"));
  Person ada(workshop, *host, "ada"), ben(workshop, *other, "ben");
  ASSERT_TRUE(ada.contribute(1).ok());
  ASSERT_TRUE(ben.contribute(1).ok());
  must(ada.replica->sync());
  ada.replica.reset();
  const std::string said = come_back("ada", *other);
  EXPECT_THAT(said, HasSubstr("of the same length than before"));
  EXPECT_THAT(convicted_of(said), HasSubstr("two histories"));
}

// A checkpoint binds from the moment that it was seen, before its events are.
TEST_F(Liars, ACheckpointIsRememberedBeforeItsEvents) {
  copy("before");
  auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada"), ben(workshop, *host, "ben");
  ASSERT_TRUE(ben.contribute(1).ok());
  const auto interrupted = ada.replica->sync([](uint64_t, uint64_t) { return false; });
  ASSERT_FALSE(interrupted.ok());
  ada.replica.reset();
  host.reset();
  const auto older = workshop.host({.quorum = 9}, workshop.path("before"));
  EXPECT_THAT(come_back("ada", *older), HasSubstr("events where it had 5 before"));
}

TEST_F(Liars, OneWhoChangesAReputationIsNamedWithTheEvent) {
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  must(ada.replica->sync());
  ada.replica.reset();
  std::vector<ledger::Event> events = log();
  const std::string place = "event " + std::to_string(events.size());
  forge(events, ledger::Endowed{1, 900'000'000'000});
  const ForgedHost liar(workshop, workshop.directory(), events);
  EXPECT_THAT(come_back("ada", liar.url()), AllOf(HasSubstr(place), HasSubstr("root")));
}

// Ada's seal is made to be of another unit, in the first copy that somebody gets.
TEST_F(Liars, OneWhoChangesWhatAUserSignedIsNamedWithTheEvent) {
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  std::vector<ledger::Event> events = log();
  std::get<ledger::EntrySealed>(events.back().statement.body).unit = 7;
  const ForgedHost liar(workshop, workshop.directory(), events);
  EXPECT_THAT(come_back("stranger", liar.url()),
              AllOf(HasSubstr("event " + std::to_string(events.size() - 1)), HasSubstr("signature")));
}

TEST_F(LiarsUnderAStrictPolicy, OneWhoClosesARoundEarlyIsNamedWithTheEvent) {
  const auto host = workshop.host({.quorum = 9});
  Person ada(workshop, *host, "ada");
  ASSERT_TRUE(ada.contribute(1).ok());
  must(ada.replica->sync());
  const uint64_t floor = ada.replica->project().state().floor_at_close();
  ada.replica.reset();
  std::vector<ledger::Event> events = log();
  const std::string place = "event " + std::to_string(events.size());
  forge(events, ledger::RoundClosed{0, ledger::CloseReason::quorum, 0, floor});
  const ForgedHost liar(workshop, workshop.directory(), events);
  EXPECT_THAT(come_back("ada", liar.url()),
              AllOf(HasSubstr(place), HasSubstr("does not close for that reason")));
}

TEST_F(Liars, OneWhoPublishesAWrongModelIsNamedWithTheEvent) {
  {
    const auto host = workshop.host({.quorum = 1});
    Person ada(workshop, *host, "ada");
    ASSERT_TRUE(ada.contribute(1).ok());  // closes the round
    ada.follow_to(1);                     // the next opens a moment later
  }
  std::vector<ledger::Event> events = log();
  auto opened = std::get<ledger::RoundOpened>(events.back().statement.body);
  events.pop_back();
  opened.snapshot = sha256(as_bytes("another model"));
  forge(events, opened);
  const ForgedHost liar(workshop, workshop.directory(), events);
  EXPECT_THAT(come_back("stranger", liar.url(), true),
              HasSubstr("event " + std::to_string(events.size() - 1) + " (round opened)"));
}

}  // namespace
}  // namespace cairn::role
