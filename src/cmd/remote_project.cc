#include "cmd/remote_project.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "data/import.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

Result<std::filesystem::path> default_cache() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg != nullptr && std::filesystem::path(xdg).is_absolute())
    return std::filesystem::path(xdg) / "cairn/projects";
  const char* home = std::getenv("HOME");
  if (home != nullptr && std::filesystem::path(home).is_absolute())
    return std::filesystem::path(home) / ".cache/cairn/projects";
  return Error{"--cache: neither XDG_CACHE_HOME nor HOME names a folder; give one"};
}

}  // namespace

void add_remote_options(Command command, RemoteOptions& options, const std::string& place) {
  command.add_option(place, options.url, "The project, such as https://example.org").required();
  command.add_option(
      "--cache", options.cache,
      "Folder for copies of hosted projects (default: cairn/projects in the XDG cache directory)");
  command.add_option("--data", options.data,
                     "The project's data as `cairn data import` made it of files of yours: shards that are "
                     "there are not fetched");
  command.add_option("--ca", options.ca_file, "PEM file of the authorities to trust (default: the system's)");
}

bool is_url(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

Result<RemoteProject> open_remote(const RemoteOptions& options) {
  RemoteProject opened;
  opened.cache = options.cache;
  if (opened.cache.empty()) {
    CAIRN_TRY(opened.cache, default_cache());
  }
  net::ClientOptions client;
  client.ca_file = options.ca_file;
  client.bytes_per_second = options.upload_limit;
  client.user_agent = "cairn/" CAIRN_VERSION;
  CAIRN_TRY(opened.remote, role::Remote::open(options.url, client));
  if (!options.data.empty()) {
    if (const auto own = data::open_data_folder(options.data); !own) return own.error().within("--data");
    opened.remote->use_own_data(options.data);
  }
  CAIRN_TRY(opened.replica, role::Replica::open(*opened.remote, opened.cache, system_environment()));
  return opened;
}

Result<SigningKey> own_key(const Shared& shared, const project::Project& project, const std::string& name) {
  CAIRN_CHECK(project::check_user_name(name));
  CAIRN_TRY(ledger::KeyRing ring, shared.key_ring(project.directory()));
  const std::string id = project.id().hex();
  std::error_code error;
  if (std::filesystem::exists(ring.path(id, name), error)) return ring.load(id, name);
  CAIRN_CHECK(project::add_user(project, ring, name));
  return ring.load(id, name);
}

std::string default_user_name() {
  const passwd* entry = getpwuid(geteuid());
  const std::string name = entry != nullptr ? entry->pw_name : "";
  return project::check_user_name(name) ? name : "volunteer";
}

}  // namespace cairn::cmd
