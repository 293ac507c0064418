// A hosted project as people run it: processes of the program, over loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/environment.h"
#include "base/file.h"
#include "commands.h"
#include "net/test_parts.h"

namespace cairn::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

// A port that was free a moment ago: a host that is killed comes back to the same one.
uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

class Network : public Commands {
 protected:
  void SetUp() override {
    Commands::SetUp();
    port_ = free_port();
    url_ = "http://127.0.0.1:" + std::to_string(port_);
  }

  pid_t start_host(const std::vector<std::string>& options = {"--no-compute"}) {
    std::vector<std::string> words = {"host",     "study", "--listen", "127.0.0.1:" + std::to_string(port_),
                                      "--quorum", "4"};
    words.insert(words.end(), options.begin(), options.end());
    const pid_t host = work_.start("host", words);
    for (int tries = 0; tries < 500 && !answers(); ++tries) ::usleep(20'000);
    EXPECT_TRUE(answers()) << "the host does not answer";
    return host;
  }

  bool answers() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return connected;
  }

  // What examples/client.py, which shares no code with the program, says of the host.
  std::string ask_in_python(const std::string& words) const {
    const std::string command =
        "/usr/bin/python3 '" CAIRN_SOURCE_DIR "/examples/client.py' " + url_ + " " + words;
    const std::string answer = work_.file("python.out").string();
    EXPECT_EQ(std::system((command + " > '" + answer + "' 2>&1").c_str()), 0);
    const auto bytes = read_file(answer, 1 << 20);
    return bytes ? std::string(bytes->begin(), bytes->end()) : "";
  }

  Outcome stop(const std::string& name, pid_t process) {
    ::kill(process, SIGINT);
    return work_.finish(name, process);
  }

  std::vector<std::string> join(const std::string& name) const {
    return {"join", url_, "--name", name, "--threads", "1"};
  }

  uint16_t port_ = 0;
  std::string url_;
};

// How often somebody is killed: a long test sets more.
int kills() {
  const char* wanted = std::getenv("CAIRN_KILLS");
  return wanted == nullptr ? 8 : std::atoi(wanted);
}

TEST_F(Network, StrangersJoinAuditAndVerify) {
  const pid_t host = start_host();
  for (const char* name : {"ada", "ben"}) {
    std::vector<std::string> words = join(name);
    words.insert(words.end(), {"--units", "2"});
    EXPECT_THAT(work_.must(words), HasSubstr("2 units accepted"));
  }
  EXPECT_THAT(work_.must({"audit", url_, "--name", "ben", "--probes", "1"}), HasSubstr("by ada: match"));
  EXPECT_THAT(work_.must({"verify", url_}), HasSubstr("ok: "));
  if (std::filesystem::exists("/usr/bin/python3")) {
    EXPECT_THAT(ask_in_python("leaderboard"), HasSubstr("ada"));
    EXPECT_THAT(ask_in_python("log"), HasSubstr("entry sealed"));
  }
  EXPECT_THAT(work_.must({"mirror", url_, "copy", "--once"}), HasSubstr("verified"));
  EXPECT_THAT(work_.must({"verify", url_, "--against", "copy", "--against", url_}), HasSubstr("ok: "));
  EXPECT_THAT(work_.cairn({"evidence", work_.file("copy/checkpoint").string()}).err, HasSubstr("magic"));
  const json original = ask({"verify", url_});
  const json copy = ask({"verify", "copy"});
  EXPECT_EQ(copy["log_root"], original["log_root"]);
  EXPECT_EQ(stop("host", host).code, 0);
  EXPECT_EQ(ask({"verify", "study"})["log_root"], original["log_root"]);
}

// Who offers too little is told so before a unit is leased; who offers the least computes what others do.
TEST_F(Network, MemoryIsOfferedAndTheHostSaysHowMuchItTakes) {
  std::filesystem::remove_all(work_.file("study"));
  work_.must({"new", "study", "--model", "resnet8", "--data", "data", "--recipe", "recipe.toml"});
  const pid_t host = start_host();
  const json need = ask({"status", "study"})["memory"];
  const uint64_t least = need["least"], roomy = need["roomy"];
  ASSERT_LT(least, roomy);
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--units", "1", "--memory", std::to_string(least - 1)});
  const Outcome refused = work_.cairn(words);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("of memory at the least for a batch of 8"));
  EXPECT_THAT(refused.err, HasSubstr("--memory"));
  EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
  EXPECT_EQ(ask({"status", "study"})["users"].size(), 0u);
  words.back() = std::to_string(least);
  const Outcome joined = work_.cairn(words);
  EXPECT_EQ(joined.code, 0) << joined.err;
  EXPECT_THAT(joined.out + joined.err, HasSubstr(" % to fit into "));
  words = join("ben");
  words.insert(words.end(), {"--units", "1"});
  EXPECT_THAT(work_.must(words), Not(HasSubstr(" % to fit into ")));
  EXPECT_EQ(stop("host", host).code, 0);
  work_.must({"close", "study"});
  EXPECT_EQ(ask({"verify", "study", "--recompute", "100"})["recomputed"], 2);
}

TEST_F(Network, ALiarLeavesAndTheHostTellsTheStory) {
  const pid_t host = start_host();
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--units", "2", "--upload-limit", "100M", "--memory", "1G"});
  work_.must(words);
  EXPECT_EQ(work_.forge({"join", url_, "--user", "mallory", "--rounds", "1"}).code, 0);
  const json audit = ask({"audit", url_, "--name", "ada", "--entry", "3"});
  EXPECT_EQ(audit["match"], false);
  EXPECT_EQ(audit["claim"], 1);
  work_.must({"judge", url_, "--once"});
  EXPECT_EQ(ask({"verify", url_, "--recompute", "10"})["recomputed"], 3);  // two entries and a verdict
  EXPECT_THAT(work_.must({"log", "study", "--format", "story"}), HasSubstr("mallory falls to the lowest"));
  // The files of a liar are not served any more: a mirror that comes now rebuilds what it can.
  EXPECT_THAT(work_.must({"mirror", url_, "copy", "--once"}), HasSubstr("1 snapshot not rebuilt"));
  EXPECT_EQ(ask({"verify", "copy"})["snapshots_attested"], 1);
  const Outcome told = stop("host", host);
  EXPECT_EQ(told.code, 0);
  EXPECT_THAT(told.out, HasSubstr("ada joins\n"));
  EXPECT_THAT(told.out, HasSubstr("ada claims that entry 3 by mallory is false\n"));
  EXPECT_THAT(told.out, HasSubstr("mallory falls to the lowest reputation, 2 entries are removed"));
}

TEST_F(Network, AUserIsDrawnToJudgeAndOthersAreToldThatTheyAreNot) {
  work_.write("policy.toml",
              "[trust]\njudges = \"panel\"\npanel_size = 1\npanel_votes = 1\npanel_reputation = 0.002\n");
  EXPECT_THAT(work_.must({"root", "settings", "study", "policy.toml"}),
              HasSubstr("note: a panel needs 1 user"));
  work_.must({"close", "study"});
  const pid_t host = start_host();
  for (const char* name : {"ada", "vera"}) {
    std::vector<std::string> words = join(name);
    words.insert(words.end(), {"--units", "1"});
    work_.must(words);
  }
  EXPECT_EQ(work_.forge({"join", url_, "--user", "mallory", "--rounds", "1"}).code, 0);
  EXPECT_EQ(ask({"audit", url_, "--name", "ada", "--entry", "3"})["claim"], 1);
  EXPECT_THAT(work_.cairn({"judge", url_, "--user", "ada", "--once"}).err,
              HasSubstr("ada is on no panel whose vote is still wanted"));
  EXPECT_THAT(work_.cairn({"judge", url_, "--once"}).err, HasSubstr("no claim is open for a named judge"));
  EXPECT_THAT(work_.must({"judge", url_, "--user", "vera", "--once"}),
              HasSubstr("claim 1: entry 3 is false"));
  EXPECT_EQ(stop("host", host).code, 0);
  EXPECT_EQ(ask({"status", "study"})["claims"]["upheld"], 1);
  EXPECT_THAT(work_.must({"log", "study", "--format", "story"}),
              HasSubstr("the lot draws vera to judge claim 1"));
}

TEST_F(Network, WhatTheHostCannotServeIsLeftAlone) {
  const pid_t host = start_host();
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--units", "2"});
  work_.must(words);
  EXPECT_EQ(work_.forge({"join", url_, "--user", "mallory", "--rounds", "1"}).code, 0);
  EXPECT_EQ(ask({"audit", url_, "--name", "ada", "--entry", "3"})["claim"], 1);
  std::filesystem::remove_all(work_.file("study") / "shards");
  const Outcome judged = work_.cairn({"judge", url_, "--once", "--cache", "empty"});
  EXPECT_EQ(judged.code, 0);
  EXPECT_THAT(judged.err, HasSubstr("claim 1: left alone, since the host lacks a file"));
  const Outcome audited = work_.cairn({"audit", url_, "--name", "ada", "--probes", "1", "--cache", "empty"});
  EXPECT_EQ(audited.code, 0);
  EXPECT_THAT(audited.err, HasSubstr("left alone, since the host lacks a file"));
  EXPECT_EQ(stop("host", host).code, 0);
  EXPECT_EQ(ask({"status", "study"})["claims"]["open"], 1);
}

TEST_F(Network, AFalseClaimOverTheNetworkIsRejected) {
  const pid_t host = start_host();
  for (const char* name : {"ada", "frank"}) {
    std::vector<std::string> words = join(name);
    words.insert(words.end(), {"--units", "2"});
    work_.must(words);
  }
  const std::vector<std::string> claim = {"claim", url_, "--entry", "1", "--user", "frank"};
  EXPECT_THAT(work_.cairn(claim).err, HasSubstr("gives the same digest"));
  std::vector<std::string> invented = claim;
  invented.insert(invented.end(), {"--digest", std::string(64, '7')});
  EXPECT_THAT(work_.must(invented), HasSubstr("claim 1: frank says that entry 1 by ada is false"));
  work_.must({"judge", url_, "--once"});
  EXPECT_EQ(stop("host", host).code, 0);
  EXPECT_EQ(ask({"status", "study"})["claims"]["rejected"], 1);
}

TEST_F(Network, AMirrorIsForkedAndNothingCountsInBoth) {
  const pid_t host = start_host();
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--rounds", "1"});
  work_.must(words);
  work_.must({"mirror", url_, "copy", "--once"});
  EXPECT_EQ(stop("host", host).code, 0);

  const std::string elsewhere = work_.file("keys elsewhere").string();
  EXPECT_THAT(work_.cairn({"host", "copy", "--keys", elsewhere}).err,
              HasSubstr("cairn new FORK --fork copy"));
  work_.must({"new", "fork", "--fork", "copy", "--keys", elsewhere});
  const json original = ask({"status", "study"}), fork = ask({"status", "fork"});
  EXPECT_NE(fork["project"], original["project"]);
  EXPECT_EQ(fork["model_digest"], original["model_digest"]);  // goes on from there
  EXPECT_EQ(fork["entries"]["live"], 0);
  work_.must({"gradient", "study", "--unit", "5", "--user", "ada", "-o", "ada.gradient"});
  EXPECT_THAT(work_.cairn({"submit", "fork", "ada.gradient"}).err, HasSubstr("project"));
  EXPECT_EQ(ask({"verify", "fork"})["verify"], "ok");
}

TEST_F(Network, TheHostsOwnMachineComputesForAPrivateProject) {
  const pid_t host =
      start_host({"--private", "--name", "owner", "--threads", "1", "--check-reachable", url_});
  const auto closed_rounds = [&] { return ask({"status", "study"})["round"].get<int>(); };
  for (int tries = 0; tries < 300 && closed_rounds() < 1; ++tries) ::usleep(100'000);
  EXPECT_GE(closed_rounds(), 1);
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--units", "1"});
  EXPECT_THAT(work_.cairn(words).err, HasSubstr("by invitation"));
  words.insert(words.end(), {"--invite", ask({"invite", "study"})["invite"].get<std::string>()});
  work_.must(words);
  const Outcome told = stop("host", host);
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("reached at " + url_));
  EXPECT_THAT(told.out, HasSubstr("owner joins\n"));
  EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
}

TEST_F(Network, AnAuditThatWaitsSaysForWhat) {
  const pid_t host = start_host();
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--units", "4"});  // closes the round
  work_.must(words);
  const pid_t audit = work_.start("audit", {"audit", url_, "--name", "ada", "--probes", "1"});
  ::sleep(3);
  EXPECT_THAT(stop("audit", audit).err, HasSubstr("waiting: all 4 entries in the log are your own"));
  EXPECT_EQ(stop("host", host).code, 0);
}

TEST_F(Network, VerifyingTheCacheOfAJoinSaysWhatItIs) {
  const pid_t host = start_host();
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--rounds", "1", "--cache", "cache"});
  work_.must(words);
  EXPECT_EQ(stop("host", host).code, 0);
  const std::string copy = "cache/" + ask({"status", "study"})["project"].get<std::string>();
  const Outcome outcome = work_.cairn({"verify", copy});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("is a copy in a cache, which has only what was needed so far"));
}

TEST_F(Network, AJoinTellsProgramsOneObjectALine) {
  const pid_t host = start_host();
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--rounds", "1", "--json"});
  std::istringstream lines(work_.must(words));
  std::map<std::string, json> last;
  for (std::string line; std::getline(lines, line);) {
    const json event = json::parse(line);
    last[event["event"]] = event;
  }
  EXPECT_EQ(last["computing"]["round"], 0);
  EXPECT_EQ(last["accepted"]["accepted"], 4);
  EXPECT_EQ(last["end"]["user"], "ada");
  EXPECT_EQ(last["end"]["accepted"], 4);
  EXPECT_EQ(last["end"]["rank"], 1);
  EXPECT_EQ(last["end"]["weight"], 1.0);  // all of the model, once the round is closed
  EXPECT_EQ(stop("host", host).code, 0);
}

TEST_F(Network, ADiskTooSmallForAUnitIsRefusedBeforeItsDownload) {
  const pid_t host = start_host();
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--disk", "100K", "--cache", "cache"});
  const Outcome outcome = work_.cairn(words);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("over the limit of 100.0 KiB; raise it with --disk"));
  EXPECT_EQ(stop("host", host).code, 0);
}

TEST_F(Network, AContributorThatIsKilledAnywhereGoesOn) {
  const pid_t host = start_host();
  for (int i = 0; i < kills(); ++i) {
    const pid_t ada = work_.start("ada", join("ada"));
    ::usleep(static_cast<useconds_t>(200'000 + system_environment().random_word() % 2'000'000));
    ::kill(ada, SIGKILL);
    work_.finish("ada", ada);
  }
  std::vector<std::string> words = join("ada");
  words.insert(words.end(), {"--units", "2"});
  EXPECT_THAT(work_.must(words), HasSubstr("2 units accepted"));
  EXPECT_EQ(ask({"verify", url_, "--recompute", "3"})["verify"], "ok");
  EXPECT_EQ(stop("host", host).code, 0);
}

TEST_F(Network, ARenewedCertificateIsServedWithoutARestart) {
  const net::testing::Directory folder;
  const auto served = net::testing::make_certificate(folder, "served");
  const auto fresh = net::testing::make_certificate(folder, "fresh");
  const pid_t host = start_host(
      {"--no-compute", "--tls-cert", served.certificate.string(), "--tls-key", served.key.string()});
  const auto trusts = [&](const std::filesystem::path& authority) {
    const std::string url = "https://127.0.0.1:" + std::to_string(port_);
    return work_.cairn({"verify", url, "--ca", authority.string()}).code == 0;
  };
  EXPECT_TRUE(trusts(served.certificate));
  EXPECT_FALSE(trusts(fresh.certificate));
  const auto replace = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(fresh.certificate, served.certificate, replace);
  ::kill(host, SIGHUP);  // when the key is not there yet
  ::sleep(1);
  std::filesystem::copy_file(fresh.key, served.key, replace);
  ::kill(host, SIGHUP);
  bool renewed = false;
  for (int tries = 0; tries < 50 && !renewed; ++tries) renewed = trusts(fresh.certificate);
  EXPECT_TRUE(renewed);
  const Outcome told = stop("host", host);
  EXPECT_EQ(told.code, 0);
  EXPECT_THAT(told.err, HasSubstr("the new certificate is not used: "));
  EXPECT_THAT(told.err, HasSubstr("the certificate was read again: new connections use it"));
}

TEST_F(Network, AHostThatIsNotThereIsOneSentence) {
  const Outcome outcome = work_.cairn({"verify", url_});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(std::to_string(port_)));
}

TEST_F(Network, WhatWasAcknowledgedSurvivesKillsOfTheHost) {
  const std::vector<std::string> names = {"ada", "ben", "cleo"};
  pid_t host = start_host();
  std::map<std::string, pid_t> clients;
  for (const std::string& name : names) clients[name] = work_.start(name, join(name));
  // Who cannot reach a host to begin with is told so; who has begun waits for it to come back.
  const auto everybody_began = [&] {
    return ask({"status", "study"}).value("users", json::array()).size() == names.size();
  };
  for (int tries = 0; tries < 600 && !everybody_began(); ++tries) ::usleep(100'000);
  for (int i = 0; i < kills(); ++i) {
    ::usleep(static_cast<useconds_t>(50'000 + system_environment().random_word() % 1'500'000));
    ::kill(host, SIGKILL);
    work_.finish("host", host);
    EXPECT_EQ(ask({"verify", "study"})["verify"], "ok");
    host = start_host();
  }
  // Each goes on by itself after the last kill: then they are asked to stop.
  ::sleep(4);
  std::set<std::pair<std::string, std::string>> acknowledged;  // round and unit
  for (const auto& [name, client] : clients) {
    const Outcome outcome = stop(name, client);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::regex line("unit ([0-9]+) of round ([0-9]+) accepted");
    for (std::sregex_iterator found(outcome.out.begin(), outcome.out.end(), line), end; found != end;
         ++found) {
      acknowledged.emplace((*found)[2], (*found)[1]);
    }
  }
  EXPECT_EQ(stop("host", host).code, 0);
  EXPECT_GE(acknowledged.size(), names.size());
  work_.must({"close", "study"});  // opens what is sealed, so that the log shows it
  std::set<std::pair<std::string, std::string>> kept;
  for (const json& entry : ask({"log", "study"})) {
    kept.emplace(std::to_string(entry["round"].get<int>()), std::to_string(entry["unit"].get<int>()));
  }
  for (const auto& entry : acknowledged) {
    EXPECT_TRUE(kept.contains(entry)) << "lost: unit " << entry.second << " of round " << entry.first;
  }
}

}  // namespace
}  // namespace cairn::tests
