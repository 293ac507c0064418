#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <cstring>

namespace cairn::net {
namespace {

constexpr unsigned char kAlpn[] = "\x08http/1.1";
constexpr size_t kAlpnSize = sizeof kAlpn - 1;
// With read-ahead one read() brings many records of a flowing body. Given back between reads.
constexpr size_t kReadBuffer = 64 << 10;

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned int in_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kAlpn, kAlpnSize, in, in_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<TlsContext> new_context(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method));
  if (!context) return Error{"TLS: cannot make a context: " + tls_error()};
  SSL_CTX* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                             SSL_OP_PRIORITIZE_CHACHA);
  // Idle connections keep no record buffers; writes may be repeated from where the rest now lies.
  SSL_CTX_set_mode(
      c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_default_read_buffer_len(c, kReadBuffer);
  return context;
}

// Where distributions keep the authorities that they trust; a program that was built elsewhere must find
// them.
constexpr const char* kCaFiles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // newer ones of both
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // macOS, the BSDs
};

Status trust_system(SSL_CTX* context) {
  if (std::getenv("SSL_CERT_FILE") != nullptr || std::getenv("SSL_CERT_DIR") != nullptr) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return Error{"TLS: cannot read what SSL_CERT_FILE and SSL_CERT_DIR name: " + tls_error()};
  }
  for (const char* file : kCaFiles) {
    if (SSL_CTX_load_verify_locations(context, file, nullptr) == 1) return {};
  }
  ERR_clear_error();
  SSL_CTX_set_default_verify_paths(context);
  return {};
}

bool is_address(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

std::string tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  return code != 0 && ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : "unknown reason";
}

Result<TlsContext> server_context(const std::filesystem::path& certificate,
                                  const std::filesystem::path& key) {
  CAIRN_TRY(TlsContext context, new_context(TLS_server_method()));
  SSL_CTX* c = context.get();
  if (SSL_CTX_use_certificate_chain_file(c, certificate.c_str()) != 1) {
    return Error{certificate.string() + ": is no certificate chain in PEM: " + tls_error()};
  }
  if (SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error{key.string() + ": is no private key in PEM: " + tls_error()};
  }
  if (SSL_CTX_check_private_key(c) != 1) {
    ERR_clear_error();
    return Error{key.string() + ": is not the key of the certificate " + certificate.string()};
  }
  SSL_CTX_set_alpn_select_cb(c, choose_alpn, nullptr);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);  // tickets carry the sessions
  SSL_CTX_set_num_tickets(c, 1);
  return context;
}

Result<TlsContext> client_context(const std::filesystem::path& ca_file, bool verify) {
  CAIRN_TRY(TlsContext context, new_context(TLS_client_method()));
  SSL_CTX* c = context.get();
  SSL_CTX_set_alpn_protos(c, kAlpn, kAlpnSize);
  if (!verify) return context;
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  if (ca_file.empty()) {
    CAIRN_CHECK(trust_system(c));
  } else if (SSL_CTX_load_verify_locations(c, ca_file.c_str(), nullptr) != 1) {
    return Error{ca_file.string() + ": holds no authorities' certificates in PEM: " + tls_error()};
  }
  return context;
}

Result<Tls> client_tls(SSL_CTX* context, const std::string& host, bool verify) {
  Tls tls(SSL_new(context));
  if (!tls) return Error{"TLS: cannot make a session: " + tls_error()};
  SSL_set_connect_state(tls.get());
  if (is_address(host)) {
    if (verify) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls.get()), host.c_str());
    return tls;
  }
  SSL_set_tlsext_host_name(tls.get(), host.c_str());
  if (verify) {
    SSL_set_hostflags(tls.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(tls.get(), host.c_str()) != 1) return Error{"TLS: bad host name: " + tls_error()};
  }
  return tls;
}

}  // namespace cairn::net
