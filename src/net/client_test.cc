#include "net/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <mutex>

#include "net/testing.h"
#include "net/testing_relay.h"

namespace cairn::net {
namespace {

using Kind = Failure::Kind;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::eventually;
using testing::HashingSink;
using ::testing::HasSubstr;
using testing::random_looking;
using testing::text_route;

// Takes pieces of a file at their offsets, and refuses where it is told to.
class CollectingSink : public BodySink {
 public:
  CollectingSink(Bytes& bytes, bool refuses) : bytes_(bytes), refuses_(refuses) {}
  std::optional<Response> write(BytesView piece) override {
    if (refuses_) return Response::error(507, "the disk is full");
    bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    return std::nullopt;
  }
  void finish(Reply reply) override { reply(Response::empty(204)); }

 private:
  Bytes& bytes_;
  bool refuses_;
};

// The same tests with and without TLS.
class Clients : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      certificate_ = testing::make_certificate(directory_);
      options_.tls_certificate = certificate_.certificate;
      options_.tls_key = certificate_.key;
    }
    options_.limits.connections_per_peer = 1000;
    options_.limits.stop_time = milliseconds(100);
    options_.limits.head_time = testing::kPatience;  // a busy machine decides nothing here
    content_ = random_looking(3'000'000);
    ASSERT_TRUE(write_file(directory_ / "content", content_));
    auto server = Server::start(options_, [this](const Request& head) { return route(head); });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  Route route(const Request& head) {
    if (head.path == "/p/hello") return text_route("hello");
    if (head.path == "/p/echo") {
      return WholeBody{8 << 20, [](Request request, const Reply& reply) {
                         reply(Response::bytes("application/octet-stream", std::move(request.body)));
                       }};
    }
    if (head.path == "/p/hash") {
      return StreamedBody{1 << 30, [](const Request&) { return std::make_unique<HashingSink>(); }};
    }
    if (head.path == "/p/collect") {
      return StreamedBody{1 << 30, [this](const Request& request) {
                            return std::make_unique<CollectingSink>(collected_,
                                                                    request.parameter("full").has_value());
                          }};
    }
    if (head.path == "/p/content") {
      const std::lock_guard lock(mutex_);
      ranges_.emplace_back(head.header("Range"));
      if (ignore_ranges_) return Response::bytes("application/octet-stream", content_);
      return *Response::file(directory_ / "content", "application/octet-stream");
    }
    if (head.path == "/p/busy") return Response::try_later(503, "come back", 7);
    if (head.path == "/p/never") {
      return WholeBody{0, [this](const Request&, const Reply& reply) {
                         const std::lock_guard lock(mutex_);
                         held_.push_back(reply);
                       }};
    }
    if (head.path == "/p/events") {
      return EventStream{"c", [](std::optional<uint64_t> after) {
                           return std::vector<Event>{{after.value_or(0) + 1, "first", "a\nb"}};
                         }};
    }
    return Response::error(404, "nothing \"here\"");
  }

  ClientOptions client_options() const {
    ClientOptions options;
    options.server = {GetParam(), "127.0.0.1", server_->port(), "/p"};
    options.ca_file = certificate_.certificate;
    options.proxy = "";
    options.connect_time = testing::kPatience;
    return options;
  }
  std::unique_ptr<Client> client() const { return std::move(*Client::open(client_options())); }
  size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }

  Download download_to(const std::string& name) {
    Download download;
    download.target = "/content";
    download.file = directory_ / name;
    download.max_size = 10'000'000;
    download.sink = [this](BytesView bytes) {
      seen_.insert(seen_.end(), bytes.begin(), bytes.end());
      return Status();
    };
    return download;
  }
  // Leaves a part of the content behind.
  void begin_download(const std::string& name) {
    Download download = download_to(name);
    download.progress = [](uint64_t done, uint64_t) { return done < 500'000; };
    const auto outcome = client()->download(download);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, Kind::cancelled);
    const uint64_t part = std::filesystem::file_size(directory_ / (name + ".part"));
    EXPECT_GE(part, 500'000u);
    EXPECT_LT(part, content_.size());
    seen_.clear();
  }

  testing::Directory directory_;
  testing::Certificate certificate_;
  ServerOptions options_;
  Bytes content_;
  Bytes collected_;
  Bytes seen_;
  std::mutex mutex_;
  std::vector<std::string> ranges_;
  bool ignore_ranges_ = false;
  std::vector<Reply> held_;
  std::unique_ptr<Server> server_;
};

INSTANTIATE_TEST_SUITE_P(Transports, Clients, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Tls" : "Plain"; });

TEST_P(Clients, RoundTripsKeepOneConnection) {
  const auto client = this->client();
  const Bytes body = random_looking(5'000'000);  // over the size at which 100-continue is asked for
  for (int i = 0; i < 3; ++i) {
    const auto hello = client->get("/hello");
    ASSERT_TRUE(hello) << hello.error().message;
    EXPECT_EQ(to_hex(hello->body), to_hex(as_bytes("hello")));
    const auto echo = client->request(Method::post, "/echo", {}, body);
    ASSERT_TRUE(echo) << echo.error().message;
    EXPECT_EQ(sha256(echo->body), sha256(body));
  }
  EXPECT_EQ(server_->counters().connections, 1u);
}

TEST_P(Clients, RefusalsCarryStatusSentenceAndPause) {
  const auto client = this->client();
  const auto missing = client->get("/missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Kind::refused);
  EXPECT_EQ(missing.error().status, 404);
  EXPECT_EQ(missing.error().sentence, "nothing \"here\"");
  EXPECT_FALSE(missing.error().may_pass());
  const auto busy = client->get("/busy");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().retry_after_s, 7);
  EXPECT_TRUE(busy.error().may_pass());
}

TEST_P(Clients, AnAnswerOverTheLimitIsRefused) {
  const auto outcome = client()->get("/content", 1'000'000);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::invalid);
}

TEST_P(Clients, HeadersCannotBeSmuggledIn) {
  const auto client = this->client();
  for (const char* target : {"/hello HTTP/1.1\r\nX: y", "hello", "/a b", "/../hello"}) {
    const auto outcome = client->get(target);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, Kind::local) << escaped(target);
  }
}

TEST_P(Clients, AConnectionThatTheServerClosedIsMadeAnew) {
  const auto client = this->client();
  ASSERT_TRUE(client->get("/hello"));
  const uint16_t port = server_->port();
  server_->stop();
  options_.port = port;
  auto again = Server::start(options_, [this](const Request& head) { return route(head); });
  ASSERT_TRUE(again) << again.error().message;
  server_ = std::move(*again);
  EXPECT_TRUE(client->get("/hello"));
  EXPECT_TRUE(client->request(Method::post, "/echo", {}, {}));
}

TEST_P(Clients, NobodyThereIsANetworkFailure) {
  const auto client = this->client();
  server_->stop();
  const auto outcome = client->get("/hello");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::network);
  EXPECT_TRUE(outcome.error().may_pass());
}

TEST_P(Clients, ASilentServerIsANetworkFailure) {
  ClientOptions options = client_options();
  options.stall_time = milliseconds(50);
  const auto outcome = (*Client::open(options))->get("/never");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::network);
}

// -- Downloads
// -------------------------------------------------------------------------------------------------

TEST_P(Clients, ADownloadArrivesWhole) {
  std::vector<uint64_t> totals;
  Download download = download_to("whole");
  download.progress = [&](uint64_t, uint64_t total) {
    totals.push_back(total);
    return true;
  };
  const auto outcome = client()->download(download);
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(seen_, content_);
  EXPECT_EQ(*read_file(directory_ / "whole", 1 << 30), content_);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "whole.part"));
  EXPECT_THAT(totals, ::testing::Each(content_.size()));
}

TEST_P(Clients, ADownloadGoesOnWhereItStopped) {
  begin_download("half");
  const uint64_t part = std::filesystem::file_size(directory_ / "half.part");
  const auto outcome = client()->download(download_to("half"));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(seen_, content_);
  EXPECT_EQ(*read_file(directory_ / "half", 1 << 30), content_);
  EXPECT_THAT(ranges_, ElementsAre("", "bytes=" + std::to_string(part) + "-"));
}

TEST_P(Clients, ADownloadGoesOnAlsoWhereTheServerKnowsNoRanges) {
  begin_download("half");
  ignore_ranges_ = true;
  ASSERT_TRUE(client()->download(download_to("half")));
  EXPECT_EQ(seen_, content_);
  EXPECT_EQ(*read_file(directory_ / "half", 1 << 30), content_);
}

TEST_P(Clients, ADownloadThatOnlyLackedItsNameIsCompleted) {
  ASSERT_TRUE(write_file(directory_ / "all.part", content_));
  ASSERT_TRUE(client()->download(download_to("all")));
  EXPECT_EQ(seen_, content_);
  EXPECT_TRUE(std::filesystem::exists(directory_ / "all"));
}

TEST_P(Clients, AWrongDownloadLeavesNothing) {
  Download download = download_to("wrong");
  download.check = [] { return Status(Error{"is not what was asked for"}); };
  const auto outcome = client()->download(download);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::invalid);
  EXPECT_THAT(outcome.error().message, HasSubstr("is not what was asked for"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "wrong"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "wrong.part"));
}

TEST_P(Clients, ADownloadOverItsLimitIsRefusedBeforeItIsWritten) {
  Download download = download_to("long");
  download.max_size = content_.size() - 1;
  const auto outcome = client()->download(download);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::invalid);
  EXPECT_TRUE(seen_.empty());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "long"));
}

// -- Uploads
// ---------------------------------------------------------------------------------------------------

TEST_P(Clients, AnUploadIsStreamedToItsSink) {
  Upload upload;
  upload.target = "/hash";
  upload.file = directory_ / "content";
  upload.length = content_.size();
  uint64_t last = 0;
  upload.progress = [&](uint64_t done, uint64_t) { return last = done, true; };
  const auto outcome = client()->upload(upload);
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(to_hex(outcome->body), to_hex(as_bytes(sha256(content_).hex())));
  EXPECT_EQ(last, content_.size());
}

TEST_P(Clients, AnUploadGoesOnFromAnOffset) {
  Upload upload;
  upload.target = "/collect";
  upload.file = directory_ / "content";
  upload.length = 1'234'567;
  const auto client = this->client();
  ASSERT_TRUE(client->upload(upload));
  upload.offset = upload.length;
  upload.length = content_.size() - upload.offset;
  ASSERT_TRUE(client->upload(upload));
  EXPECT_EQ(sha256(collected_), sha256(content_));
}

// The loop that reads a body took the answer of a write under way for a refusal, and ended the body there.
TEST_P(Clients, AWriteUnderWayDoesNotCutAnUploadShort) {
  Upload upload;
  upload.target = "/collect";
  upload.file = directory_ / "content";
  upload.length = content_.size();
  const auto client = this->client();
  for (int i = 0; i < 20; ++i) {
    collected_.clear();
    ASSERT_TRUE(client->upload(upload));
    ASSERT_EQ(collected_.size(), content_.size());
    ASSERT_EQ(sha256(collected_), sha256(content_));
  }
}

TEST_P(Clients, AnUploadStopsAtARefusal) {
  Upload upload;
  upload.target = "/collect?full=1";
  upload.file = directory_ / "large";
  upload.length = 200 << 20;
  std::ofstream(upload.file).close();
  std::filesystem::resize_file(upload.file, upload.length);
  uint64_t sent = 0;
  upload.progress = [&](uint64_t done, uint64_t) { return sent = done, true; };
  const auto outcome = client()->upload(upload);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().status, 507) << outcome.error().message;
  EXPECT_EQ(outcome.error().sentence, "the disk is full");
  EXPECT_LT(sent, upload.length);
}

TEST_P(Clients, AnUploadThatIsNotWantedIsNotSent) {
  Upload upload;
  upload.target = "/missing";
  upload.file = directory_ / "content";
  upload.length = content_.size();
  bool sent = false;
  upload.progress = [&](uint64_t, uint64_t) { return sent = true; };
  const auto outcome = client()->upload(upload);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().status, 404);
  EXPECT_FALSE(sent);
}

TEST_P(Clients, AnUploadKeepsToItsRate) {
  Upload upload;
  upload.target = "/hash";
  upload.file = directory_ / "content";
  upload.length = 100'000;
  upload.bytes_per_second = 1'000'000;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(client()->upload(upload));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(90));  // the last piece is not waited for
}

TEST_P(Clients, BodiesKeepToTheRateOfTheClient) {
  ClientOptions options = client_options();
  options.bytes_per_second = 1'000'000;
  const auto limited = std::move(*Client::open(options));
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(limited->request(Method::post, "/echo", {}, Bytes(100'000)));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(90));
}

TEST_P(Clients, AnUploadBeyondTheFileIsRefusedHere) {
  Upload upload;
  upload.target = "/hash";
  upload.file = directory_ / "content";
  upload.length = content_.size() + 1;
  EXPECT_EQ(client()->upload(upload).error().kind, Kind::local);
}

// -- Events
// ----------------------------------------------------------------------------------------------------

TEST_P(Clients, EventsAreReadUntilTheCallbackHasEnough) {
  const auto client = this->client();
  std::vector<std::string> got;
  const auto outcome = client->events("/events", "41", [&](const ReceivedEvent& event) {
    got.push_back(event.id + " " + event.name + " " + event.data);
    server_->publish("c", {42 + got.size(), "next", "x"});
    return got.size() < 3;
  });
  EXPECT_TRUE(outcome);
  EXPECT_THAT(got, ElementsAre("42 first a\nb", "43 next x", "44 next x"));
  EXPECT_TRUE(client->get("/hello"));
}

TEST_P(Clients, AStreamThatTheServerEndsIsANetworkFailure) {
  const auto client = this->client();
  std::thread stopping;
  const auto outcome = client->events("/events", std::nullopt, [&](const ReceivedEvent&) {
    if (!stopping.joinable()) stopping = std::thread([&] { server_->stop(); });
    return true;
  });
  stopping.join();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::network);
}

// -- Cancelling
// ------------------------------------------------------------------------------------------------

TEST_P(Clients, CancelEndsWhatIsUnderWay) {
  const auto client = this->client();
  std::thread cancelling([&] {
    EXPECT_TRUE(eventually([&] { return held() == 1; }));
    client->cancel();
  });
  const auto outcome = client->get("/never");
  cancelling.join();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::cancelled);
  EXPECT_EQ(client->get("/hello").error().kind, Kind::cancelled);
  client->reset();
  EXPECT_TRUE(client->get("/hello"));
}

Client* signalled = nullptr;

TEST_P(Clients, CancelIsSafeInASignalHandler) {
  const auto client = this->client();
  signalled = client.get();
  std::signal(SIGUSR1, [](int) { signalled->cancel(); });
  const pthread_t self = ::pthread_self();
  std::thread signalling([&] {
    EXPECT_TRUE(eventually([&] { return held() == 1; }));
    ::pthread_kill(self, SIGUSR1);
  });
  const auto outcome = client->get("/never");
  signalling.join();
  std::signal(SIGUSR1, SIG_DFL);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::cancelled);
}

// -- Proxies and many clients
// ----------------------------------------------------------------------------------

TEST_P(Clients, AProxyIsUsedForEverything) {
  testing::Relay proxy;
  ClientOptions options = client_options();
  options.proxy = "http://user:secret@127.0.0.1:" + std::to_string(proxy.port());
  const auto client = std::move(*Client::open(options));
  for (int i = 0; i < 2; ++i) {
    const auto outcome = client->get("/hello");
    ASSERT_TRUE(outcome) << outcome.error().message;
  }
  const std::string authority = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_THAT(proxy.heads(),
              ElementsAre(AllOf(
                  ::testing::StartsWith(GetParam() ? "CONNECT " + authority + " HTTP/1.1\r\n"
                                                   : "GET http://" + authority + "/p/hello HTTP/1.1\r\n"),
                  HasSubstr("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"))));
}

TEST_P(Clients, TwoHundredAtOnceAreServed) {
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  const auto options = client_options();
  for (int i = 0; i < 200; ++i) {
    threads.emplace_back([&, i] {
      const auto client = std::move(*Client::open(options));
      const Bytes body(1000 + i, static_cast<uint8_t>(i));
      for (int k = 0; k < 3; ++k) {
        const auto outcome = client->request(Method::post, "/echo", {}, body);
        if (outcome && outcome->body == body) ++served;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 600);
}

}  // namespace
}  // namespace cairn::net
