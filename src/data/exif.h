// What the marks beside a picture's pixels say of how to show it.
#pragma once

#include "data/image.h"

namespace cairn::data {

struct JpegMarks {
  int orientation = 1;
  bool adobe = false;  // an APP14 segment of Adobe's is there
};

// Reads the segments before the first scan. What is malformed says nothing.
JpegMarks jpeg_marks(BytesView file);

// The orientation (tag 0x0112) of an EXIF block, which begins with a TIFF header: 1 to 8, or 1 where it has
// none.
int exif_orientation(BytesView tiff);

// The picture as that orientation wants it shown.
Picture upright(Picture picture, int orientation);

}  // namespace cairn::data
