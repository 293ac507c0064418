// cairn key: the keys of devices and roles, and the name under which others see a user.
#include <fmt/format.h>

#include "cmd/command.h"
#include "project/account.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string user, name, key;
};

Result<project::Project> open(const Options& options) {
  return project::Project::open(options.directory, system_environment());
}

std::string roles_text(const project::KnownKey& key) {
  std::string text;
  for (const std::string& role : key.roles) text += (text.empty() ? "" : ", ") + role;
  return text.empty() ? "not in the log" : printable(text);
}

Result<int> list(const Shared& shared, const Options& options) {
  CAIRN_TRY(const ledger::KeyRing ring, shared.key_ring(options.directory));
  CAIRN_TRY(const project::Project project, open(options));
  CAIRN_TRY(const auto keys, project::known_keys(project, ring));
  Json json = Json::array();
  std::string text;
  for (const project::KnownKey& key : keys) {
    json.push_back(
        {{"name", key.name.empty() ? Json() : Json(key.name)}, {"key", key.key.hex()}, {"roles", key.roles}});
    text += fmt::format("{:<20} {}  {}\n", key.name.empty() ? "(elsewhere)" : key.name, key.key.hex(),
                        roles_text(key));
  }
  if (text.empty()) text = "no key of this project is in " + ring.directory().string() + "\n";
  print(shared, json, text);
  return kDone;
}

Result<int> make(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing ring, shared.key_ring(options.directory));
  CAIRN_TRY(const project::Project project, open(options));
  CAIRN_TRY(const SigningKey key, ring.create(project.id().hex(), options.name));
  const std::string directory = shell_word(options.directory), hex = key.public_key().hex();
  print(shared, Json{{"name", options.name}, {"key", hex}},
        fmt::format("{} is made, its public half is {}\n"
                    "next, to use it, where the keys are that may say so:\n"
                    "  as your device:      cairn key add-device {} {} --user NAME\n"
                    "  as a judge:          cairn root add-judge {} {}\n"
                    "  as the coordinator:  cairn root move-coordinator {} {}\n",
                    options.name, hex, directory, hex, directory, hex, directory, hex));
  return kDone;
}

Result<int> add_device(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, open(options));
  CAIRN_TRY(const SigningKey user, user_key(shared, project, options.user));
  CAIRN_TRY(const PublicKey device, public_key(shared, project, options.key));
  CAIRN_CHECK(project::add_device(project, user, device));
  print(shared, Json{{"user", options.user}, {"device", device.hex()}},
        fmt::format("{} can contribute, claim and appeal as {} now; only the main key changes the account\n",
                    device.hex(), options.user));
  return kDone;
}

Result<int> remove_device(const Shared& shared, const Options& options) {
  CAIRN_TRY(auto project, open(options));
  CAIRN_TRY(const SigningKey user, user_key(shared, project, options.user));
  CAIRN_TRY(const PublicKey device, public_key(shared, project, options.key));
  CAIRN_TRY(const uint32_t lapsing, project::remove_device(project, user, device));
  const std::string rest = lapsing == 0 ? ""
                                        : fmt::format("; {} that it sealed in this round will not count",
                                                      plural(lapsing, "entry", "entries"));
  print(shared, Json{{"user", options.user}, {"device", device.hex()}, {"lapsing_entries", lapsing}},
        fmt::format("{} signs nothing any more{}\n", device.hex(), rest));
  return kDone;
}

Result<int> rotate(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing ring, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, open(options));
  CAIRN_TRY(const SigningKey old, project::load_key(ring, project, options.user));
  CAIRN_TRY(const PublicKey key, project::rotate_key(project, ring, options.user));
  print(shared, Json{{"user", options.user}, {"key", key.hex()}, {"retired", old.public_key().hex()}},
        fmt::format("the main key of {} is {} now; the old one signs nothing any more\n", options.user,
                    key.hex()));
  return kDone;
}

Result<int> rename(const Shared& shared, const Options& options) {
  CAIRN_TRY(ledger::KeyRing ring, shared.key_ring(options.directory));
  CAIRN_TRY(auto project, open(options));
  CAIRN_TRY(std::ignore, user_key(shared, project, options.user));
  CAIRN_CHECK(project::rename_user(project, ring, options.user, options.name));
  print(shared, Json{{"was", options.user}, {"name", options.name}},
        fmt::format("{} is called {} now, here with --user as well\n", options.user, options.name));
  return kDone;
}

}  // namespace

void add_key(Command app, const Shared& shared) {
  const Command group = add_group(app, "key", "Your keys: other devices, rotation, your name, roles");
  auto options = std::make_shared<Options>();
  const auto needs_user = [&](Command command) {
    command.add_option("--user", options->user, "Whose account, by the main key in the key ring").required();
  };
  const auto needs_key = [&](Command command) {
    command.add_option("KEY", options->key, "Public key: 64 hexadecimal digits, or a name in the key ring")
        .required();
  };
  add_verb(group, shared,
           {"list", "The keys in your key ring and what they are in the log", "cairn key list study", list},
           options);
  Command command = add_verb(
      group, shared,
      {"new", "Make a key for a device, a judge or a coordinator", "cairn key new study laptop", make},
      options);
  command.add_option("NAME", options->name, "What the key ring calls it").required();
  command = add_verb(group, shared,
                     {"add-device", "Let another device of yours sign for you",
                      "cairn key add-device study laptop --user ada", add_device},
                     options);
  needs_key(command);
  needs_user(command);
  command = add_verb(group, shared,
                     {"remove-device", "Take that back: the device is lost or sold",
                      "cairn key remove-device study laptop --user ada", remove_device},
                     options);
  needs_key(command);
  needs_user(command);
  needs_user(add_verb(
      group, shared,
      {"rotate", "Replace your main key with a new one", "cairn key rotate study --user ada", rotate},
      options));
  command = add_verb(group, shared,
                     {"rename", "Change the name under which others see you",
                      "cairn key rename study countess --user ada", rename},
                     options);
  command.add_option("NAME", options->name, "The new name").required();
  needs_user(command);
}

}  // namespace cairn::cmd
