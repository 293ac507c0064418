#include <fmt/format.h>

#include "cmd/command.h"
#include "project/chronicle.h"
#include "project/training_log.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path directory;
  std::string format = "text";
  bool inline_gradients = false;
};

// The textbook's four fields first, then what checks the entry.
Json to_json(const project::Project& project, const project::LogLine& line) {
  Json json;
  json["image"] = line.images.size() == 1 ? Json(line.images[0]) : Json(line.images);
  json["gradient"] = line.gradient.empty()       ? Json(line.entry.gradient.hex())
                     : line.gradient.size() == 1 ? Json(line.gradient[0])
                                                 : Json(line.gradient);
  json["userid"] = line.entry.user;
  json["reputation"] = number(line.entry.reputation);
  json["entry"] = line.entry.id;
  json["round"] = line.entry.round;
  json["unit"] = line.entry.unit;
  json["user"] = project.user_name(line.entry.user);
  json["digest"] = line.entry.gradient.hex();
  json["averaged"] = line.entry.chosen;  // or a duplicate of one that is
  return json;
}

void print_story(const project::Project& project) {
  for (uint64_t index = 0; index < project.events().size(); ++index) {
    const std::string sentence = project::chronicle(project, index);
    if (!sentence.empty()) fmt::print("{}\n", printable(sentence));
  }
}

Result<int> run(const Shared& shared, const Options& options) {
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  if (options.format == "story") {
    print_story(project);
    return kDone;
  }
  const bool json = shared.json || options.format == "json";
  bool first = true;
  if (json) fmt::print("[");
  CAIRN_CHECK(
      project::visit_log(project, options.inline_gradients, [&](const project::LogLine& line) -> Status {
        if (json) {
          fmt::print("{}\n{}", first ? "" : ",", to_json(project, line).dump());
        } else {
          fmt::print("{}{}", first ? "" : "\n", project::textbook_lines(line));
        }
        first = false;
        return {};
      }));
  if (json) fmt::print("{}]\n", first ? "" : "\n");
  if (first && !json)
    fmt::print(stderr, "cairn: no entry is live yet; what is handed in opens when its round closes\n");
  return kDone;
}

}  // namespace

void add_log(Command app, const Shared& shared) {
  Command command = add_command(app, "log", "Print the training log: image, gradient, userid, reputation",
                                "cairn log study --format json");
  auto options = std::make_shared<Options>();
  command.add_option("DIR", options->directory, "The project").required();
  command.add_option("--format", options->format, "text, json, or story: what happened, in sentences")
      .one_of({"text", "json", "story"})
      .show_default();
  command.add_flag("--inline", options->inline_gradients, "Print a gradient's numbers instead of its digest");
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
