#include "project/training_log.h"

#include <fmt/format.h>

#include "work/block_encoding.h"
#include "work/gradient_file.h"
#include "work/unit.h"

namespace cairn::project {
namespace {

Result<std::vector<std::string>> image_names(const Project& project, trust::UnitId unit) {
  const auto groups = project.data().groups(data::Split::train);
  std::vector<std::string> names;
  for (const uint32_t image : work::unit_images(project.recipe(), groups, unit)) {
    CAIRN_TRY(std::string name, project.data().name(data::Split::train, image));
    names.push_back(std::move(name));
  }
  return names;
}

Result<std::vector<float>> numbers(const Project& project, const Digest& gradient) {
  CAIRN_TRY(const Bytes bytes, project.gradients().get(gradient, work::kMaxGradientFileSize));
  CAIRN_TRY(const work::GradientFile file, work::decode_gradient_file(bytes));
  std::vector<float> values(file.parameters);
  work::decode_values(file, values);
  return values;
}

// A comma separates names, so one inside a name is escaped; names hold no control characters
// (base/text.h).
std::string escaped(const std::string& name) {
  std::string result;
  for (const char c : name) {
    if (c == '\\' || c == ',') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

Result<LogLine> log_line(const Project& project, const trust::LiveEntry& entry, bool inline_gradients) {
  LogLine line{
      .entry = entry, .images = {}, .gradient = {}, .reputation = trust::to_decimal(entry.reputation)};
  CAIRN_TRY(line.images, image_names(project, entry.unit));
  if (inline_gradients) {
    CAIRN_TRY(line.gradient, numbers(project, entry.gradient));
  }
  return line;
}

Status visit_log(const Project& project, bool inline_gradients,
                 const std::function<Status(const LogLine&)>& visit) {
  for (const trust::LiveEntry& entry : project.state().live_entries()) {
    CAIRN_TRY(const LogLine line, log_line(project, entry, inline_gradients));
    CAIRN_CHECK(visit(line));
  }
  return {};
}

std::string textbook_lines(const LogLine& line) {
  std::string images, gradient;
  for (const std::string& image : line.images) images += (images.empty() ? "" : ", ") + escaped(image);
  for (const float value : line.gradient) gradient += fmt::format("{}{}", gradient.empty() ? "" : " ", value);
  if (gradient.empty()) gradient = line.entry.gradient.hex();
  return fmt::format("image: {}\ngradient: {}\nuserid: {}\nreputation: {}\n", images, gradient,
                     line.entry.user, line.reputation);
}

}  // namespace cairn::project
