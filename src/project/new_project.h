// Making a project: model, data, recipe and keys become a directory with an open first round.
#pragma once

#include "data/import.h"
#include "project/project.h"
#include "weights/load.h"

namespace cairn::project {

struct NewProject {
  std::string model;                       // mlp, lenet, resnet8, or the path of an ONNX file
  std::string data;                        // a data folder, or what data::ImportRequest takes for a source
  std::filesystem::path recipe = {};       // TOML; empty: a template
  std::string recipe_template = {};        // its name (work/templates.h); empty: the first
  std::filesystem::path weights = {};      // safetensors or ONNX to start from; empty: the model's own
  weights::Fit fit = weights::Fit::whole;  // of the weights
  data::PictureShape pictures = {};        // where `data` is a source of pictures
  // Told what a maintainer should know of a project that is made all the same, in one sentence each.
  std::function<void(const std::string& sentence)> on_note = {};
};

// Makes the directory whole or not at all, and the keys of root, coordinator and judge in `keys`.
Result<Project> create_project(const std::filesystem::path& directory, const NewProject& wanted,
                               KeyRing& keys, Environment& environment, const Progress& progress);

// Goes on from where `parent` (a mirror, say) stands, by oneself: its model as the open round has it, its
// data, recipe and policy, but with keys, users and a log of its own. The genesis names the parent's log;
// nothing that was signed for one project counts in the other.
Result<Project> fork_project(const std::filesystem::path& directory, const Project& parent, KeyRing& keys,
                             Environment& environment, const Progress& progress);

}  // namespace cairn::project
