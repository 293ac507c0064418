// For tests and benchmarks: a directory, a certificate, a sink. Needs no test framework.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "base/digest.h"
#include "net/server.h"

namespace cairn::net::testing {

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

}  // namespace cairn::net::testing
