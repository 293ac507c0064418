#include "ledger/keyring.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/file.h"

namespace cairn::ledger {
namespace {

constexpr std::string_view kFirstWords = "cairn private key v1: ";
constexpr std::string_view kPublic = "public: ";
constexpr std::string_view kPrivate = "private: ";
constexpr std::string_view kExtension = ".key";
constexpr uint64_t kMaxKeyFileSize = 4096;

// A secret in the form of text or bytes; wiped when it goes.
template <class Container>
struct Wiped {
  Container content;
  ~Wiped() { sodium_memzero(content.data(), content.size()); }
};

Error error_at(const std::filesystem::path& path, const std::string& message) {
  return {path.string() + ": " + message};
}

Status check_word(const char* what, const std::string& word) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (!word.empty() && word.size() <= kMaxKeyNameSize && word[0] != '.' &&
      std::all_of(word.begin(), word.end(), allowed)) {
    return {};
  }
  return Error{std::string(what) + ": needs 1 to " + std::to_string(kMaxKeyNameSize) +
               " letters, digits, '.', '_' or '-', not starting with '.'"};
}

// Nobody but the owner, who is the caller, may do anything with it.
Status check_private(const std::filesystem::path& path, mode_t type, const char* mode) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return error_at(path, std::string("cannot be read: ") + std::strerror(errno));
  if ((info.st_mode & S_IFMT) != type)
    return error_at(path, type == S_IFDIR ? "is no directory" : "is no regular file");
  if (info.st_uid != ::geteuid()) return error_at(path, "belongs to another user of this computer");
  if ((info.st_mode & 077) == 0) return {};
  return error_at(path, std::string("other users of this computer can get at it; run chmod ") + mode +
                            " on it, and make a "
                            "new key if somebody may have read it");
}

Status make_private_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return error_at(path, std::string("cannot create the directory: ") + std::strerror(errno));
  }
  return check_private(path, S_IFDIR, "700");
}

bool lies_within(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

// Absolute, without links, as far as it exists; without a last empty component.
Result<std::filesystem::path> resolved(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path result =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  if (error) return error_at(path, "cannot be resolved: " + error.message());
  return result.has_filename() ? result : result.parent_path();
}

Wiped<std::string> key_text(const std::string& project, const std::string& name, const SigningKey& key) {
  const Wiped<std::string> seed{to_hex(key.seed())};
  return {std::string(kFirstWords) + "whoever has this file can sign as \"" + name + "\" in project " +
          project + "; never publish it\n" + std::string(kPublic) + key.public_key().hex() + "\n" +
          std::string(kPrivate) + seed.content + "\n"};
}

// Takes the next line off the text; it must start with the words given. Returns what follows them.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view words) {
  const size_t end = text.find('\n');
  if (!text.starts_with(words) || end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(words.size(), end - words.size());
  text.remove_prefix(end + 1);
  return line;
}

Result<SigningKey> parse_key(std::string_view text) {
  if (!take_line(text, kFirstWords)) return Error{"is no private key of Cairn"};
  const auto public_hex = take_line(text, kPublic);
  const auto seed_hex = take_line(text, kPrivate);
  if (!public_hex || !seed_hex || !text.empty())
    return Error{"private key: not the three lines of a key file"};
  auto bytes = from_hex(*seed_hex);
  if (!bytes) return bytes.error().within("private");
  const Wiped<Bytes> seed{std::move(bytes).value()};
  Wiped<std::array<uint8_t, 32>> array{};
  if (seed.content.size() != array.content.size()) return Error{"private: needs 64 hexadecimal digits"};
  std::copy(seed.content.begin(), seed.content.end(), array.content.begin());
  SigningKey key = SigningKey::from_seed(array.content);
  if (key.public_key().hex() != *public_hex) return Error{"public: does not belong to the private key"};
  return key;
}

// Writes the file under another name, then links it to its own, which fails where there is one already.
Status write_new(const std::filesystem::path& path, BytesView bytes) {
  std::filesystem::path draft = path;
  draft += ".draft" + std::to_string(::getpid());
  CAIRN_CHECK(write_private_file(draft, bytes));
  const int linked = ::link(draft.c_str(), path.c_str());
  const int reason = errno;
  ::unlink(draft.c_str());
  if (linked == 0) return sync_directory(path.parent_path());
  return error_at(path, reason == EEXIST ? "there is a key of that name already"
                                         : std::string("cannot be written: ") + std::strerror(reason));
}

}  // namespace

Result<SigningKey> read_key_file(const std::filesystem::path& file) {
  CAIRN_CHECK(check_private(file, S_IFREG, "600"));
  CAIRN_TRY(Bytes bytes, read_file(file, kMaxKeyFileSize));
  const Wiped<Bytes> text{std::move(bytes)};
  auto key = parse_key({reinterpret_cast<const char*>(text.content.data()), text.content.size()});
  if (!key) return key.error().within(file.string());
  return key;
}

Result<std::filesystem::path> KeyRing::default_directory() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && data[0] == '/') return std::filesystem::path(data) / "cairn" / "keys";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/')
    return std::filesystem::path(home) / ".local" / "share" / "cairn" / "keys";
  return Error{"no folder for private keys: set HOME or XDG_DATA_HOME to an absolute path"};
}

Result<KeyRing> KeyRing::open(const std::filesystem::path& directory,
                              const std::filesystem::path& project_directory) {
  CAIRN_TRY(const std::filesystem::path keys, resolved(directory));
  CAIRN_TRY(const std::filesystem::path project, resolved(project_directory));
  if (lies_within(keys, project)) {
    return error_at(keys, "private keys do not lie in a project directory (" + project.string() +
                              "), which is copied and published; choose another folder");
  }
  CAIRN_CHECK(make_directory(keys.parent_path()));
  CAIRN_CHECK(make_private_directory(keys));
  return KeyRing(keys);
}

std::filesystem::path KeyRing::path(const std::string& project, const std::string& name) const {
  return directory_ / project / (name + std::string(kExtension));
}

Result<SigningKey> KeyRing::create(const std::string& project, const std::string& name) {
  SigningKey key = SigningKey::generate();
  CAIRN_CHECK(add(project, name, key));
  return key;
}

Status KeyRing::add(const std::string& project, const std::string& name, const SigningKey& key) {
  CAIRN_CHECK(check_word("project", project));
  CAIRN_CHECK(check_word("name", name));
  const std::filesystem::path file = path(project, name);
  CAIRN_CHECK(make_private_directory(file.parent_path()));
  CAIRN_CHECK(sync_directory(directory_));
  const Wiped<std::string> text = key_text(project, name, key);
  return write_new(file, as_bytes(text.content));
}

Result<SigningKey> KeyRing::load(const std::string& project, const std::string& name) const {
  CAIRN_CHECK(check_word("project", project));
  CAIRN_CHECK(check_word("name", name));
  return read_key_file(path(project, name));
}

Status KeyRing::rename(const std::string& project, const std::string& from, const std::string& to) {
  CAIRN_TRY(const SigningKey key, load(project, from));
  if (from == to) return {};
  const auto present = load(project, to);
  if (!present || present->public_key() != key.public_key()) CAIRN_CHECK(add(project, to, key));
  return remove(project, from);
}

Status KeyRing::replace(const std::string& project, const std::string& name, const std::string& successor) {
  CAIRN_TRY(const SigningKey key, load(project, successor));
  const Wiped<std::string> text = key_text(project, name, key);
  CAIRN_CHECK(write_private_file(path(project, name), as_bytes(text.content)));
  return remove(project, successor);
}

Status KeyRing::remove(const std::string& project, const std::string& name) {
  CAIRN_CHECK(check_word("project", project));
  CAIRN_CHECK(check_word("name", name));
  const std::filesystem::path file = path(project, name);
  std::error_code error;
  std::filesystem::remove(file, error);
  if (error) return error_at(file, "cannot be removed: " + error.message());
  return sync_directory(file.parent_path());
}

Result<std::vector<std::string>> KeyRing::names(const std::string& project) const {
  CAIRN_CHECK(check_word("project", project));
  std::vector<std::string> names;
  std::error_code error;
  const std::filesystem::path folder = directory_ / project;
  if (!std::filesystem::exists(folder, error)) return names;
  for (auto entry = std::filesystem::directory_iterator(folder, error); !error && entry != end(entry);
       entry.increment(error)) {
    if (entry->path().extension() == kExtension) names.push_back(entry->path().stem().string());
  }
  if (error) return error_at(folder, "cannot be read: " + error.message());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cairn::ledger
