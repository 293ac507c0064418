// What a statically linked program must not leave to chance on a system that it was not built for.
#pragma once

namespace cairn {

// Names of hosts and users come from /etc/hosts, DNS and /etc/passwd alone, and OpenSSL reads no system
// configuration: glibc and OpenSSL would otherwise load plugins that were built for another libc. In other
// programs it does nothing. Call it first, before there are threads.
void stay_within_static_program();

}  // namespace cairn
