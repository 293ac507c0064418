// Large submissions in pieces: through the host, and what refuses them.
#include "role/incoming.h"

#include <gmock/gmock.h>

#include "role/testing.h"

namespace cairn::role {
namespace {

using testing::HasSubstr;

TEST(ContentRange, IsReadStrictly) {
  const ContentRange range = must(parse_content_range("bytes 10-19/100"));
  EXPECT_EQ(range.first, 10u);
  EXPECT_EQ(range.length, 10u);
  EXPECT_EQ(range.size, 100u);
  for (const char* wrong :
       {"", "bytes", "bytes 1-2", "bytes 2-1/9", "bytes 0-9/9", "bytes -1/9", "bytes 1-/9", "bytes 0-1/*",
        "bytes +0-1/9", "bytes 0-1/99999999999999999999", "items 0-1/9"}) {
    EXPECT_FALSE(parse_content_range(wrong).ok()) << wrong;
  }
}

// Ada with a unit, its gradient computed and signed.
class Uploads : public testing::Test {
 protected:
  Uploads() {
    lease = must(ada.remote->take_unit(sign_request(*ada.key, ada.request())));
    const auto file = must(ada.trainer().gradient(lease.round, lease.unit, {}));
    submission = must(project::make_submission(ada.replica->project(), *ada.key, "ada", file));
    gradient = submission.gradient;
    seal = std::get<ledger::EntrySealed>(submission.sealed.body).seal;
    target = "/v1/uploads/" + seal.hex();
    client = connect(ada);
  }

  static std::unique_ptr<net::Client> connect(const Person& person) {
    net::ClientOptions options;
    options.server = must(net::parse_url(person.remote->url()));
    return must(net::Client::open(options));
  }

  UnitRequest ticket(const Person& person) const {
    UnitRequest request = person.request();
    request.kind = UnitRequest::Kind::upload;
    request.unit = lease.unit;
    return sign_request(*person.key, request);
  }

  // One piece, as a client would send it that need not be sound.
  net::Outcome<net::ClientResponse> put(const std::string& range, BytesView piece, const UnitRequest& by) {
    net::Headers headers;
    must(headers.set("Content-Range", range));
    must(headers.set(kTicketHeader, to_hex(encode(by))));
    return client->request(net::Method::put, target, headers, piece);
  }
  std::string range(size_t first, size_t length) const {
    return "bytes " + std::to_string(first) + "-" + std::to_string(first + length - 1) + "/" +
           std::to_string(gradient.size());
  }
  Bytes without_gradient() const {
    project::Submission rest = submission;
    rest.gradient = {};
    return project::encode(rest);
  }
  BytesView piece(size_t first, size_t length) const { return gradient.subspan(first, length); }

  Workshop workshop;
  std::unique_ptr<Host> host = workshop.host({.quorum = 9});
  Person ada{workshop, *host, "ada"};
  RemoteLease lease;
  project::Submission submission;
  BytesView gradient;
  Digest seal;
  std::string target;
  std::unique_ptr<net::Client> client;
};

TEST_F(Uploads, PiecesBecomeAnEntry) {
  ada.remote->set_pieces(1000);
  ASSERT_GT(gradient.size(), 3000u);
  EXPECT_EQ(must(ada.remote->submit(submission, [this] { return ticket(ada); })).size(), 3u);
  must(ada.replica->sync());
  EXPECT_EQ(ada.replica->project().state().entries().size(), 1u);
  EXPECT_TRUE(std::filesystem::is_empty(workshop.directory() / "incoming"));
}

TEST_F(Uploads, GoOnWhereTheyWereCutEvenAfterARestart) {
  ASSERT_TRUE(put(range(0, 1000), piece(0, 1000), ticket(ada)).ok());
  host->stop();
  host = workshop.host({.quorum = 9});
  Person again(workshop, *host, "ada");
  again.remote->set_pieces(1000);
  client = connect(again);
  EXPECT_THAT(put(range(0, 1000), piece(0, 1000), ticket(ada)).error().message, HasSubstr("1000 are here"));
  EXPECT_EQ(must(again.remote->submit(submission, [this] { return ticket(ada); })).size(), 3u);
}

TEST_F(Uploads, NeedALease) {
  const Person mallory(workshop, *host, "mallory");
  const auto refused = put(range(0, 1000), piece(0, 1000), ticket(mallory));
  EXPECT_EQ(refused.error().status, 403);
  EXPECT_THAT(refused.error().message, HasSubstr("has no unit to compute"));
  UnitRequest other = ada.request();
  other.kind = UnitRequest::Kind::upload;
  other.unit = lease.unit + 1;
  const auto not_hers = put(range(0, 1000), piece(0, 1000), sign_request(*ada.key, other));
  EXPECT_EQ(not_hers.error().status, 403);
  EXPECT_THAT(not_hers.error().message, HasSubstr("holds no lease of that unit"));
  UnitRequest forged = ticket(ada);
  forged.time += 1;
  EXPECT_EQ(put(range(0, 1000), piece(0, 1000), forged).error().status, 403);
  EXPECT_TRUE(std::filesystem::is_empty(workshop.directory() / "incoming"));
}

TEST_F(Uploads, HaveLimits) {
  const std::string huge = "bytes 0-999/" + std::to_string(uint64_t{1} << 40);
  EXPECT_EQ(put(huge, piece(0, 1000), ticket(ada)).error().status, 413);
  EXPECT_EQ(put(range(0, 999), piece(0, 1000), ticket(ada)).error().status, 400);
  EXPECT_EQ(put("all of it", piece(0, 1000), ticket(ada)).error().status, 400);
}

TEST_F(Uploads, WhatIsDamagedComesAgain) {
  Bytes damaged(gradient.begin(), gradient.end());
  damaged[2000] ^= 1;
  ASSERT_TRUE(put(range(0, damaged.size()), damaged, ticket(ada)).ok());
  const auto refused = client->request(net::Method::post, "/v1/entries", {}, without_gradient());
  EXPECT_EQ(refused.error().status, 503);
  EXPECT_THAT(refused.error().message, HasSubstr("send it again"));
  ada.remote->set_pieces(1000);
  EXPECT_EQ(must(ada.remote->submit(submission, [this] { return ticket(ada); })).size(), 3u);
}

TEST_F(Uploads, AreHandedInOnceAtATime) {
  ASSERT_TRUE(put(range(0, gradient.size()), gradient, ticket(ada)).ok());
  Incoming incoming(workshop.directory() / "incoming", {.file_size = 1 << 20}, system_environment());
  const work::GradientStore& gradients = ada.replica->project().gradients();
  const auto take = [&] {
    return incoming.take(seal, std::get<ledger::EntryOpened>(submission.opened.body).gradient,
                         [&](BytesView packed) { return gradients.unpack(packed); });
  };
  const auto upload = std::get<Incoming::Upload>(take());
  EXPECT_TRUE(std::ranges::equal(upload.content.view(), must(gradients.unpack(gradient)).view()));
  EXPECT_EQ(std::get<net::Response>(take()).status, 503);
  EXPECT_EQ(std::get<net::Response>(incoming.receive(seal, {gradient.size(), 1, gradient.size() + 1})).status,
            503);
  incoming.let_go(seal, Incoming::Then::keep);
  EXPECT_TRUE(std::holds_alternative<Incoming::Upload>(take()));
  incoming.let_go(seal, Incoming::Then::remove);
  EXPECT_EQ(incoming.received(seal), 0u);
}

TEST_F(Uploads, BugAnAnswerThatGotLostCostALargeEntry) {
  ada.remote->set_pieces(1000);
  const auto first = must(ada.remote->submit(submission, [this] { return ticket(ada); }));
  const auto again = must(ada.remote->submit(submission, [this] { return ticket(ada); }));
  EXPECT_EQ(again.back(), first.back());
  EXPECT_TRUE(std::filesystem::is_empty(workshop.directory() / "incoming"));
}

TEST_F(Uploads, AreWantedBeforeTheirEntry) {
  const auto refused = client->request(net::Method::post, "/v1/entries", {}, without_gradient());
  EXPECT_EQ(refused.error().status, 503);
  EXPECT_THAT(refused.error().message, HasSubstr("nothing of the gradient is here"));
}

TEST_F(Uploads, BugWhoIsToldToComeLaterHadToSendAllAgain) {
  ASSERT_TRUE(put(range(0, gradient.size()), gradient, ticket(ada)).ok());
  host->stop();
  Coordinator busy(workshop.open(workshop.directory()), workshop.key(project::kCoordinatorKey),
                   system_environment(), {}, {.waiting = 0, .newcomers_waiting = 0});
  Service service(busy, system_environment());
  net::Request request;
  request.method = net::Method::post;
  request.path = "/v1/entries";
  request.body = without_gradient();
  int status = 0;
  const auto deliver = [&](const net::Response& response) { status = response.status; };
  std::get<net::WholeBody>(service.route(request)).handler(request, net::Reply(deliver));
  EXPECT_EQ(status, 503);
  EXPECT_EQ(std::filesystem::file_size(workshop.directory() / "incoming" / seal.hex()), gradient.size());
}

TEST_F(Uploads, ThatNobodyGoesOnWithAreForgotten) {
  ASSERT_TRUE(put(range(0, 1000), piece(0, 1000), ticket(ada)).ok());
  const std::filesystem::path folder = workshop.directory() / "incoming";
  std::filesystem::last_write_time(folder / seal.hex(),
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(3));
  target = "/v1/uploads/" + sha256(as_bytes(std::string("another"))).hex();
  ASSERT_TRUE(put(range(0, 10), piece(0, 10), ticket(ada)).ok());
  EXPECT_FALSE(std::filesystem::exists(folder / seal.hex()));
}

}  // namespace
}  // namespace cairn::role
