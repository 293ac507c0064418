#include "net/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <random>

#include "net/testing.h"

namespace cairn::net {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::EndsWith;
using testing::eventually;
using testing::HashingSink;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawClient;
using ::testing::StartsWith;
using testing::status_of;
using testing::text_route;

// A server with a few routes, and hostile clients.
class Servers : public ::testing::Test {
 protected:
  void start() {
    options_.log = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      log_.push_back(line);
    };
    auto server = Server::start(options_, [this](const Request& head) { return route(head); });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  Route route(const Request& head) {
    if (head.path == "/hello")
      return text_route("hello " + std::string(head.parameter("name").value_or("you")));
    if (head.path == "/peer") return text_route(head.peer);
    if (head.path == "/echo") {
      return WholeBody{1000, [](Request request, const Reply& reply) {
                         reply(Response::bytes("application/octet-stream", std::move(request.body)));
                       }};
    }
    if (head.path == "/sink") {
      return StreamedBody{1 << 20, [this](const Request&) {
                            return std::make_unique<HashingSink>(
                                [this](bool finished) { ++(finished ? sinks_finished_ : sinks_broken_); });
                          }};
    }
    if (head.path == "/big") return *big_;
    if (head.path == "/events") {
      return EventStream{"news", [](std::optional<uint64_t> after) {
                           std::vector<Event> missed;
                           for (uint64_t id = after.value_or(0) + 1; id <= 3; ++id)
                             missed.push_back({id, "", "old"});
                           return missed;
                         }};
    }
    if (head.path == "/later") {
      return WholeBody{0, [this](const Request&, const Reply& reply) {
                         const std::lock_guard lock(mutex_);
                         held_.push_back(reply);
                       }};
    }
    if (head.path == "/throws") {
      return WholeBody{0, [](const Request&, const Reply&) { throw std::runtime_error("a fault"); }};
    }
    return Response::error(404, "there is nothing here");
  }

  size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }

  // One request that is answered and closed.
  std::string ask(const std::string& text) {
    RawClient client(server_->port());
    EXPECT_TRUE(client.send(text));
    return client.read_all();
  }
  std::string get(const std::string& target) {
    return ask("GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  }
  void expect_alive() { EXPECT_EQ(status_of(get("/hello")), 200); }

  ServerOptions options_;
  std::optional<Response> big_;
  std::mutex mutex_;
  std::vector<std::string> log_;
  std::vector<Reply> held_;
  std::atomic<int> sinks_finished_{0};
  std::atomic<int> sinks_broken_{0};
  std::unique_ptr<Server> server_;  // last, since it uses all of the above until it has stopped
};

constexpr const char* kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr const char* kLastGet = "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

// -- What works
// ------------------------------------------------------------------------------------------------

TEST_F(Servers, AnswerWithHeadersAndBody) {
  start();
  EXPECT_THAT(get("/hello?name=ada"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: text/plain\r\n"),
                    HasSubstr("Content-Length: 9\r\n"), HasSubstr("Date: "), EndsWith("\r\n\r\nhello ada")));
  EXPECT_THAT(get("/nothing"),
              AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("{\"error\": \"there is nothing here\"}\n")));
}

TEST_F(Servers, PipelinedRequestsAreAnsweredInTheirOrder) {
  start();
  std::string text;
  std::string bodies;
  for (int i = 0; i < 50; ++i) {
    text += "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n" + std::to_string(100 + i);
    bodies += std::to_string(100 + i);
  }
  const std::string answers = ask(text + kLastGet);
  std::string got;
  for (size_t at = 0; (at = answers.find("\r\n\r\n", at)) != std::string::npos; at += 4)
    got += answers.substr(at + 4, 3);
  EXPECT_EQ(got, bodies + "hel");
}

TEST_F(Servers, KeepAliveFollowsTheVersion) {
  start();
  RawClient modern(server_->port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(modern.send(kGet));
    EXPECT_THAT(modern.read_until("hello you"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(ask("GET /hello HTTP/1.0\r\n\r\n"), HasSubstr("Connection: close\r\n"));
  RawClient old(server_->port());
  ASSERT_TRUE(old.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_THAT(old.read_until("hello you"), HasSubstr("Connection: keep-alive\r\n"));
  ASSERT_TRUE(old.send("GET /hello HTTP/1.0\r\n\r\n"));
  EXPECT_THAT(old.read_all(), EndsWith("hello you"));
}

TEST_F(Servers, HeadGetsNoBody) {
  start();
  EXPECT_THAT(ask("HEAD /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
              AllOf(HasSubstr("Content-Length: 9\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(Servers, ContinueIsSaidOnlyWhereTheBodyIsWanted) {
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(
      client.send("PUT /sink HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.send("abc"));
  EXPECT_THAT(client.read_until(sha256(as_bytes("abc")).hex()), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("PUT /sink HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(Servers, ARepliesMayComeLateAndFromAnotherThread) {
  start();
  RawClient first(server_->port());
  RawClient second(server_->port());
  for (RawClient* client : {&first, &second})
    ASSERT_TRUE(client->send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(eventually([&] { return held() == 2; }));
  for (const Reply& reply : held_) reply(Response::text(200, "text/plain", "at last"));
  EXPECT_THAT(first.read_until("at last"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(second.read_until("at last"), StartsWith("HTTP/1.1 200"));
}

TEST_F(Servers, AFaultyHandlerGivesA500AndNothingElseBreaks) {
  start();
  EXPECT_THAT(get("/throws"), StartsWith("HTTP/1.1 500 "));
  expect_alive();
}

// -- Hostile heads and bodies
// ----------------------------------------------------------------------------------

TEST_F(Servers, MalformedRequestsGetOneClearError) {
  start();
  for (const auto& [text, status] : std::vector<std::pair<std::string, int>>{
           {"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
           {"GET /%2e%2e/secret HTTP/1.1\r\nHost: h\r\n\r\n", 400},
           {"GET /hello HTTP/1.1\r\n\r\n", 400},
           {"GET /hello HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400},
           {"\x16\x03\x01 this is TLS", 400},
           {"BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n", 405},
           {"POST /echo HTTP/1.1\r\nHost: h\r\n\r\n", 411},
           {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            411},
           {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
           {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
           {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413},
           {"POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 413},
           {"GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
           {"GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n", 431}}) {
    const std::string answer = ask(text);
    EXPECT_EQ(status_of(answer), status) << escaped(text);
    EXPECT_THAT(answer, AllOf(HasSubstr("Connection: close\r\n"),
                              HasSubstr("Content-Type: application/json\r\n"), HasSubstr("{\"error\": \"")));
  }
  expect_alive();
}

TEST_F(Servers, AFloodOfChunksIsNotRead) {
  start();
  RawClient client(server_->port());
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 100'000 && client.send("1\r\nx\r\n"); ++i) {
  }
  EXPECT_THAT(client.read_until("}\n"), StartsWith("HTTP/1.1 411 "));
  EXPECT_EQ(server_->counters().body_bytes, 0u);
}

TEST_F(Servers, GarbageDoesNotHurt) {
  start();
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::string text = i % 2 == 0 ? "" : "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
    for (int k = 0; k < 100; ++k)
      text.insert(random() % (text.size() + 1), 1, static_cast<char>(random() % 256));
    RawClient client(server_->port());
    client.send(text);
    client.end_sending();
    const std::string answer = client.read_all();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 ")) << escaped(text);
  }
  expect_alive();
}

TEST_F(Servers, NothingThatClientsSendIsLoggedUnescaped) {
  start();
  get("/hello?name=%0d%0aevil");
  ask("GET /\x1b[31m\r\n\r\n");
  ask("GET /hello HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: \x1b[31m\r\nConnection: close\r\n\r\n");
  server_->stop();
  EXPECT_GE(log_.size(), 3u);
  for (const std::string& line : log_) {
    for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << escaped(line);
  }
}

TEST_F(Servers, ASlowHeadGets408) {
  options_.limits.head_time = milliseconds(50);
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("GET /hello HTTP/1.1\r\nHo"));
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(Servers, AByteNowAndThenDoesNotProlongTheHead) {
  options_.limits.head_time = milliseconds(100);
  start();
  RawClient client(server_->port());
  std::atomic<bool> done{false};
  std::thread dripping([&] {
    while (!done && client.send("a")) std::this_thread::sleep_for(milliseconds(1));
  });
  client.send("GET /hello HTTP/1.1\r\nX: ");
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 408 "));
  done = true;
  dripping.join();
}

TEST_F(Servers, ASilentConnectionIsClosed) {
  options_.limits.head_time = milliseconds(50);
  start();
  RawClient client(server_->port());
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(Servers, AnIdleConnectionIsClosed) {
  options_.limits.idle_time = milliseconds(50);
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(kGet));
  EXPECT_THAT(client.read_all(), EndsWith("hello you"));
}

TEST_F(Servers, ASlowBodyGets408AndItsSinkIsDestroyed) {
  options_.limits.body_grace = milliseconds(50);
  options_.limits.body_rate = 1 << 30;
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("PUT /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc"));
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(eventually([&] { return sinks_broken_ == 1; }));
}

TEST_F(Servers, ABrokenBodyDestroysItsSink) {
  start();
  {
    RawClient client(server_->port());
    ASSERT_TRUE(client.send("PUT /sink HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc"));
    client.end_sending();
    EXPECT_EQ(client.read_all(), "");
  }
  EXPECT_TRUE(eventually([&] { return sinks_broken_ == 1; }));
  EXPECT_EQ(sinks_finished_, 0);
}

TEST_F(Servers, AHalfClosedClientIsAnswered) {
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send(kLastGet));
  client.end_sending();
  EXPECT_THAT(client.read_all(), EndsWith("hello you"));
}

TEST_F(Servers, AReaderThatStopsIsDropped) {
  const testing::Directory directory;
  ASSERT_TRUE(write_file(directory / "big", Bytes(64 << 20)));
  big_ = *Response::file(directory / "big", "application/octet-stream");
  options_.limits.write_time = milliseconds(50);
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_TRUE(eventually([&] { return server_->counters().requests == 1; }));
  EXPECT_TRUE(eventually([&] { return server_->counters().open_connections == 0; }));
}

TEST_F(Servers, NoReplyInTimeIs503) {
  options_.limits.reply_time = milliseconds(50);
  start();
  EXPECT_THAT(get("/later"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: ")));
  held_.at(0)(Response::empty(200));  // too late, and harmless
  expect_alive();
}

// -- Limits on numbers
// -----------------------------------------------------------------------------------------

TEST_F(Servers, TooManyConnectionsOfOneAddressGet429) {
  options_.limits.connections_per_peer = 2;
  start();
  RawClient one(server_->port());
  {
    RawClient two(server_->port());
    ASSERT_TRUE(eventually([&] { return server_->counters().open_connections == 2; }));
    EXPECT_THAT(ask(kGet), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: ")));
  }
  ASSERT_TRUE(eventually([&] { return server_->counters().open_connections == 1; }));
  expect_alive();
}

TEST_F(Servers, TooManyConnectionsInAllGet503) {
  options_.limits.connections = 1;
  start();
  RawClient one(server_->port());
  ASSERT_TRUE(eventually([&] { return server_->counters().open_connections == 1; }));
  EXPECT_THAT(ask(kGet), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: ")));
}

TEST_F(Servers, TooManyBytesOfBodiesGet503) {
  options_.limits.buffered_bodies = 10;
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(
      client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n12345678"),
              StartsWith("HTTP/1.1 503 "));
  ASSERT_TRUE(client.send("12345678"));
  EXPECT_THAT(client.read_until("12345678"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 8\r\n\r\n12345678"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(Servers, ATrustedProxySpeaksForItsClients) {
  options_.limits.connections_per_peer = 1;
  options_.trusted_proxies = {"127.0.0.1"};
  start();
  RawClient one(server_->port());
  ASSERT_TRUE(eventually([&] { return server_->counters().open_connections == 1; }));
  EXPECT_THAT(ask("GET /peer HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 9.9.9.9, 192.0.2.7\r\nConnection: "
                  "close\r\n\r\n"),
              EndsWith("192.0.2.7"));
}

TEST_F(Servers, NobodyElseMaySpeakForOthers) {
  start();
  EXPECT_THAT(ask("GET /peer HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n\r\n"),
              EndsWith("127.0.0.1"));
}

TEST_F(Servers, WhoIsTooFastIsReadMoreSlowly) {
  options_.limits.requests_per_second = 100;
  options_.limits.request_burst = 5;
  start();
  std::string text;
  for (int i = 0; i < 14; ++i) text += kGet;
  const auto begun = std::chrono::steady_clock::now();
  const std::string answers = ask(text + kLastGet);  // with the connection itself, 16 at 100 a second
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(100));
  size_t answered = 0;
  for (size_t at = 0; (at = answers.find("hello you", at)) != std::string::npos; ++at) ++answered;
  EXPECT_EQ(answered, 15u);  // nothing is refused
}

TEST_F(Servers, WhoIsTooFastAndHasTooManyConnectionsIsClosedWithoutAWord) {
  options_.limits.connections_per_peer = 1;
  options_.limits.requests_per_second = 1;
  options_.limits.request_burst = 1;
  start();
  RawClient one(server_->port());
  ASSERT_TRUE(eventually([&] { return server_->counters().open_connections == 1; }));
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 429 "));
  EXPECT_EQ(ask(""), "");
  EXPECT_EQ(ask(""), "");
}

TEST_F(Servers, AProxysRequestsAreNotCountedAsOneClients) {
  options_.limits.requests_per_second = 1;
  options_.limits.request_burst = 1;
  options_.trusted_proxies = {"127.0.0.1"};
  start();
  for (int i = 0; i < 20; ++i) expect_alive();  // at one a second this would take too long
}

// -- Events
// ----------------------------------------------------------------------------------------------------

TEST_F(Servers, EventsAreReplayedThenFollowed) {
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("GET /events HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 1\r\n\r\n"));
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_EQ(client.read_until("id: 3\ndata: old\n\n"), "id: 2\ndata: old\n\nid: 3\ndata: old\n\n");
  server_->publish("other", {4, "", "not for us"});
  server_->publish("news", {3, "", "again"});  // seen already
  server_->publish("news", {5, "round", "a\nb"});
  EXPECT_EQ(client.read_until("\n\n"), "id: 5\nevent: round\ndata: a\ndata: b\n\n");
}

TEST_F(Servers, AQuietStreamHasAHeartbeat) {
  options_.limits.heartbeat = milliseconds(20);
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_THAT(client.read_until("\n\n:\n\n:\n\n"), HasSubstr("id: 3"));
}

TEST_F(Servers, ASlowSubscriberIsDroppedAndAnotherIsNot) {
  options_.limits.events_per_subscriber = 4;
  start();
  RawClient slow(server_->port());
  RawClient quick(server_->port());
  for (RawClient* client : {&slow, &quick}) {
    ASSERT_TRUE(client->send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
    client->read_until("id: 3\ndata: old\n\n");
  }
  const std::string data(100'000, 'x');
  for (uint64_t id = 4; server_->counters().dropped_subscribers == 0; ++id) {
    ASSERT_LT(id, 10'000u);
    server_->publish("news", {id, "", data});
    EXPECT_THAT(quick.read_until(data + "\n\n"), StartsWith("id: " + std::to_string(id) + "\n"));
  }
  slow.read_all();  // to its end
  EXPECT_TRUE(eventually([&] { return server_->counters().subscribers == 1; }));
  server_->publish("news", {1'000'000, "", "still there"});
  quick.read_until("still there\n\n");
}

TEST_F(Servers, TooManySubscribersGet503) {
  options_.limits.subscribers = 1;
  start();
  RawClient client(server_->port());
  ASSERT_TRUE(client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
  client.read_until("id: 3");
  EXPECT_THAT(get("/events"), StartsWith("HTTP/1.1 503 "));
}

// -- The end
// ---------------------------------------------------------------------------------------------------

TEST_F(Servers, StoppingLetsWhatIsInFlightFinish) {
  start();
  RawClient idle(server_->port());
  RawClient busy(server_->port());
  ASSERT_TRUE(busy.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  auto stopping = std::async(std::launch::async, [&] { server_->stop(); });
  EXPECT_EQ(idle.read_all(), "");  // so it is stopping
  held_.at(0)(Response::text(200, "text/plain", "finished"));
  EXPECT_THAT(busy.read_all(), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("finished")));
  stopping.get();
  EXPECT_FALSE(RawClient(server_->port()).connected());
}

TEST_F(Servers, StoppingWaitsForABoundedTime) {
  options_.limits.stop_time = milliseconds(20);
  start();
  RawClient busy(server_->port());
  ASSERT_TRUE(busy.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n"));
  RawClient subscriber(server_->port());
  ASSERT_TRUE(subscriber.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
  subscriber.read_until("id: 3");
  ASSERT_TRUE(eventually([&] { return held() == 1; }));
  server_->stop();
  server_.reset();
  EXPECT_EQ(busy.read_all(), "");
  held_.at(0)(Response::empty(200));  // nobody is there any more
}

TEST_F(Servers, WrongOptionsAreRefused) {
  const auto refused = [](const ServerOptions& options) {
    return !Server::start(options, [](const Request&) { return Response::empty(204); });
  };
  start();
  ServerOptions options;
  options.port = server_->port();
  EXPECT_TRUE(refused(options));
  options = {};
  options.address = "not an address";
  EXPECT_TRUE(refused(options));
  options = {};
  options.tls_certificate = "/nonexistent";
  EXPECT_TRUE(refused(options));
  options.tls_key = "/nonexistent";
  EXPECT_TRUE(refused(options));
}

}  // namespace
}  // namespace cairn::net
