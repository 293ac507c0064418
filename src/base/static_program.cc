#include "base/static_program.h"

#ifdef CAIRN_PORTABLE
#include <nss.h>
#include <openssl/crypto.h>
#endif

namespace cairn {

void stay_within_static_program() {
#ifdef CAIRN_PORTABLE
  // "files" and "dns" are part of a static glibc since 2.34; whatever else nsswitch.conf names is a plugin.
  __nss_configure_lookup("hosts", "files dns");
  __nss_configure_lookup("passwd", "files");
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
#endif
}

}  // namespace cairn
