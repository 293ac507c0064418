// Data sets of picture files: what is listed is decoded and fitted side by side, shard by shard.
#pragma once

#include <filesystem>

#include "base/progress.h"
#include "data/image.h"
#include "data/listing.h"
#include "data/skipped.h"

namespace cairn::data {

// Where and how a source of pictures is opened.
struct PictureOptions {
  std::string name;  // of the data set
  PictureShape shape;
  std::filesystem::path work;  // a folder that is there, for listings; those that are there are used
  OnSkipped on_skipped;        // of what is skipped while listing
  Progress progress;           // asked now and then whether to go on listing
};

// The bytes of an item's sample. Safe for several threads. An error is why the sample is left out.
using MakeSample = std::function<Result<Bytes>(Split, const Item&)>;
// The bytes of an item's file. Safe for several threads.
using LoadPicture = std::function<Result<Bytes>(Split, const Item&)>;

// Classes that only a look at all samples tells are kept beside the listings, once those are there. None are
// kept where the source has yet to be listed.
Status keep_classes(const PictureOptions& options, const std::vector<std::string>& classes);
Result<std::vector<std::string>> kept_classes(const PictureOptions& options);
std::vector<std::string> numbered_classes(uint32_t count);  // "0", "1", …

// From the listings in options.work.
Result<std::unique_ptr<Source>> make_listed_source(const PictureOptions& options, const Manifest& description,
                                                   MakeSample make);
// Of these classes.
Result<std::unique_ptr<Source>> make_picture_source(const PictureOptions& options,
                                                    std::vector<std::string> classes, LoadPicture load);
std::filesystem::path listing_path(const PictureOptions& options, Split split);

// A folder of folders, one for each class: FOLDER/train/CLASS/… with FOLDER/val/CLASS/… (or FOLDER/test/…),
// as ImageNet has it, or FOLDER/CLASS/… for training alone. Classes are numbered in the order of their names'
// bytes. A picture is called CLASS/…/FILE. Links to files and to class folders are followed; deeper ones to
// folders are not, so that no loop is.
Result<std::unique_ptr<Source>> open_picture_folder(const std::filesystem::path& folder,
                                                    const PictureOptions& options);

// Whether a file's name ends as those of pictures do.
bool is_picture_name(const std::filesystem::path& path);

}  // namespace cairn::data
