#include "net/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/testing.h"

namespace cairn::net {
namespace {

using Kind = Failure::Kind;
using testing::RawClient;
using testing::text_route;

class TlsServers : public ::testing::Test {
 protected:
  void SetUp() override {
    certificate_ = testing::make_certificate(directory_);
    ServerOptions options;
    options.tls_certificate = certificate_.certificate;
    options.tls_key = certificate_.key;
    auto server = Server::start(options, [](const Request&) { return text_route("hello"); });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  Outcome<ClientResponse> get(const std::string& host, const std::filesystem::path& ca_file,
                              bool verify = true) {
    ClientOptions options;
    options.server = {true, host, server_->port(), ""};
    options.ca_file = ca_file;
    options.verify_tls = verify;
    options.proxy = "";
    return (*Client::open(options))->get("/hello");
  }

  testing::Directory directory_;
  testing::Certificate certificate_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsServers, AreTrustedByTheirAuthorityOnly) {
  EXPECT_TRUE(get("127.0.0.1", certificate_.certificate));
  const testing::Certificate other = testing::make_certificate(directory_, "other");
  for (const auto& ca_file : {other.certificate, std::filesystem::path()}) {
    const auto outcome = get("127.0.0.1", ca_file);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, Kind::tls) << outcome.error().message;
    EXPECT_FALSE(outcome.error().may_pass());
  }
  EXPECT_TRUE(get("127.0.0.1", other.certificate, false));
}

TEST_F(TlsServers, AreTrustedUnderTheirOwnNameOnly) {
  const auto outcome = get("localhost", certificate_.certificate);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Kind::tls) << outcome.error().message;
}

TEST_F(TlsServers, CanChangeTheirCertificateWhileTheyRun) {
  const testing::Certificate fresh = testing::make_certificate(directory_, "fresh");
  ASSERT_TRUE(write_file(certificate_.key, Bytes{1}));
  EXPECT_FALSE(server_->reload_certificate());  // and goes on with the old one
  EXPECT_TRUE(get("127.0.0.1", certificate_.certificate));
  std::filesystem::copy_file(certificate_.certificate, directory_ / "old.crt");
  const auto replace = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(fresh.certificate, certificate_.certificate, replace);
  std::filesystem::copy_file(fresh.key, certificate_.key, replace);
  ASSERT_TRUE(server_->reload_certificate());
  EXPECT_TRUE(get("127.0.0.1", fresh.certificate));
  EXPECT_FALSE(get("127.0.0.1", directory_ / "old.crt"));
}

TEST_F(TlsServers, SurviveClientsThatSpeakSomethingElse) {
  for (const std::string& text : std::vector<std::string>{"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n",
                                                          "\x16\x03\x01\x00\x05hello", "garbage"}) {
    RawClient client(server_->port());
    client.send(text);
    client.end_sending();
    client.read_all();
  }
  EXPECT_TRUE(get("127.0.0.1", certificate_.certificate));
}

// What a client that offers these protocols and ciphers gets.
bool handshake_succeeds(uint16_t port, int least, int most, const char* ciphers) {
  const std::unique_ptr<SSL_CTX, TlsContextFree> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), least);
  SSL_CTX_set_max_proto_version(context.get(), most);
  SSL_CTX_set_cipher_list(context.get(), ciphers);
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new_ssl_connect(context.get()), BIO_free_all);
  BIO_set_conn_hostname(bio.get(), ("127.0.0.1:" + std::to_string(port)).c_str());
  return BIO_do_handshake(bio.get()) == 1;
}

TEST_F(TlsServers, SpeakModernTlsOnly) {
  EXPECT_TRUE(handshake_succeeds(server_->port(), TLS1_3_VERSION, TLS1_3_VERSION, "DEFAULT"));
  EXPECT_TRUE(handshake_succeeds(server_->port(), TLS1_2_VERSION, TLS1_2_VERSION, "DEFAULT"));
  EXPECT_FALSE(handshake_succeeds(server_->port(), TLS1_VERSION, TLS1_1_VERSION, "DEFAULT:@SECLEVEL=0"));
  EXPECT_FALSE(handshake_succeeds(server_->port(), TLS1_2_VERSION, TLS1_2_VERSION, "AES128-SHA:@SECLEVEL=0"));
}

}  // namespace
}  // namespace cairn::net
