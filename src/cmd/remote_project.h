// What the subcommands that work on a hosted project share: its URL, the local copy, the user's key.
#pragma once

#include "cmd/command.h"
#include "role/replica.h"

namespace cairn::cmd {

struct RemoteOptions {
  std::string url;
  std::filesystem::path
      cache;  // copies of hosted projects; default: cairn/projects in the XDG cache directory
  std::filesystem::path ca_file;  // authorities to trust, for hosts with certificates of their own
  uint64_t upload_limit = 0;      // bytes a second; 0: none
  std::filesystem::path data;     // that `cairn data import` made, whose shards need not be fetched
};

// Adds URL, --cache and --ca to the subcommand. Those that also take a directory say so in `place`.
void add_remote_options(Command command, RemoteOptions& options, const std::string& place = "URL");

bool is_url(const std::string& text);

struct RemoteProject {
  std::filesystem::path cache;  // in which the copy lies, beside those of other projects
  std::unique_ptr<role::Remote> remote;
  std::unique_ptr<role::Replica> replica;

  project::Project& project() { return replica->project(); }
};

// Connects, and brings the local copy up to date.
Result<RemoteProject> open_remote(const RemoteOptions& options);

// The key of that name for the project, made if there is none.
Result<SigningKey> own_key(const Shared& shared, const project::Project& project, const std::string& name);

// "ada" of the user who runs this, where it can be a name in a project.
std::string default_user_name();

}  // namespace cairn::cmd
