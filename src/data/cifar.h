// The binary files of CIFAR-10 and CIFAR-100 (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny
// Images", 2009): records of one or two labels and 32 x 32 pixels in three planes.
#pragma once

#include <filesystem>

#include "data/source.h"

namespace cairn::data {

// A folder of data_batch_1.bin to data_batch_5.bin and test_batch.bin, or of train.bin and test.bin, whose
// second label, the fine one, counts. Images keep the order of the files, and are named by it. Class names
// are the lines of batches.meta.txt or fine_label_names.txt, or numbers where there is none.
Result<std::unique_ptr<Source>> open_cifar(const std::filesystem::path& folder, const std::string& name);
bool is_cifar_folder(const std::filesystem::path& folder);

}  // namespace cairn::data
