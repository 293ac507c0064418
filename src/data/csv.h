// Tables of comma-separated values (RFC 4180) with a line of column names.
#pragma once

#include "data/pictures.h"

namespace cairn::data {

// FILE.csv, for training alone, or a folder of train.csv and perhaps val.csv (or test.csv). Either of the
// columns `path` and `label`, where paths of pictures are relative to the table's folder, or of `label` and
// one column for each pixel: of a square, grey or in three planes of red, green and blue. Where all labels
// are whole numbers below 65536 they are the classes' own; otherwise classes are numbered in the order of
// their names' bytes. Rows that are not as the others are left out.
Result<std::unique_ptr<Source>> open_csv(const std::filesystem::path& path, const PictureOptions& options);
bool is_csv_folder(const std::filesystem::path& path);

}  // namespace cairn::data
