// TLS contexts (RFC 5246, RFC 8446) through OpenSSL: 1.2 and 1.3, forward secrecy and authenticated
// encryption only, session tickets, ALPN "http/1.1". Inside this folder only.
#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace cairn::net {

struct TlsContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, TlsContextFree>;

struct TlsFree {
  void operator()(SSL* tls) const { SSL_free(tls); }
};
using Tls = std::unique_ptr<SSL, TlsFree>;

Result<TlsContext> server_context(const std::filesystem::path& certificate, const std::filesystem::path& key);
Result<TlsContext> client_context(const std::filesystem::path& ca_file, bool verify);

// A client's session that expects the certificate of `host`, a name or an address.
Result<Tls> client_tls(SSL_CTX* context, const std::string& host, bool verify);

// The oldest error of this thread's queue for people, which is emptied.
std::string tls_error();

}  // namespace cairn::net
