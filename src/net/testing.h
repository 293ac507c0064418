// For the tests of this folder: certificates, raw sockets that misbehave, a directory, a sink.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "base/digest.h"
#include "base/file.h"
#include "net/client.h"
#include "net/server.h"

namespace cairn::net::testing {

inline constexpr auto kPatience = std::chrono::seconds(30);  // before a test says that something never came

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "cairn-net-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Looks again and again, for what another thread will do.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// A self-signed certificate for 127.0.0.1 and its key, as PEM files.
struct Certificate {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

inline Certificate make_certificate(const Directory& directory, const std::string& name = "server") {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(certificate, names, -1);
  X509_sign(certificate, key, EVP_sha256());
  const Certificate files{directory / (name + ".crt"), directory / (name + ".key")};
  FILE* out = std::fopen(files.certificate.c_str(), "w");
  PEM_write_X509(out, certificate);
  std::fclose(out);
  out = std::fopen(files.key.c_str(), "w");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_EXTENSION_free(names);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

// A socket that sends whatever bytes it is told to.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void end_sending() { ::shutdown(fd_, SHUT_WR); }

  // What comes until the server closes.
  std::string read_all() {
    while (read_some()) {
    }
    return std::exchange(received_, "");
  }
  // Up to and with `end`.
  std::string read_until(const std::string& end) {
    while (received_.find(end) == std::string::npos && read_some()) {
    }
    const size_t size = std::min(received_.find(end), received_.size() - end.size()) + end.size();
    std::string text = received_.substr(0, size);
    received_.erase(0, size);
    return text;
  }

 private:
  bool read_some() {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) <= 0) {
      ADD_FAILURE() << "the server neither sends nor closes";
      return false;
    }
    char bytes[16384];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    received_.append(bytes, static_cast<size_t>(got));
    return true;
  }

  int fd_;
  bool connected_ = false;
  std::string received_;
};

inline int status_of(const std::string& response) {
  return response.starts_with("HTTP/1.1 ") ? std::stoi(response.substr(9, 3)) : 0;
}

// Hashes what it is given, and answers with the digest.
class HashingSink : public BodySink {
 public:
  explicit HashingSink(std::function<void(bool finished)> ended = {}) : ended_(std::move(ended)) {}
  ~HashingSink() override {
    if (ended_) ended_(finished_);
  }
  std::optional<Response> write(BytesView piece) override {
    hasher_.update(piece);
    return std::nullopt;
  }
  void finish(Reply reply) override {
    finished_ = true;
    reply(Response::text(200, "text/plain", hasher_.finish().hex()));
  }

 private:
  Hasher hasher_;
  bool finished_ = false;
  std::function<void(bool)> ended_;
};

inline WholeBody text_route(std::string text) {
  return {0, [text](const Request&, const Reply& reply) { reply(Response::text(200, "text/plain", text)); }};
}

inline Bytes random_looking(size_t size) {
  Bytes bytes(size);
  uint32_t state = 12345;
  for (uint8_t& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

}  // namespace cairn::net::testing
