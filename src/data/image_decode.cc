#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>

#include "data/exif.h"
#include "data/image.h"

namespace cairn::data {
namespace {

// Memory for large pictures: one of them at a time, however many threads decode.
std::mutex large_pictures;

std::unique_lock<std::mutex> wait_for_memory(uint64_t pixels) {
  return pixels > kLargePicture ? std::unique_lock(large_pictures) : std::unique_lock<std::mutex>();
}

Status check_size(uint64_t width, uint64_t height) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (width == 0 || height == 0) return Error{"has no pixels (" + size + ")"};
  if (width > kMaxPictureSide || height > kMaxPictureSide || width * height > kMaxPicturePixels) {
    return Error{"declares " + size + " pixels where sides of " + std::to_string(kMaxPictureSide) + ", and " +
                 std::to_string(kMaxPicturePixels) + " pixels in all, are allowed"};
  }
  if (std::max(width, height) > kMaxPictureRatio * std::min(width, height)) {
    return Error{"is " + size + " pixels, too narrow to cut a square out of"};
  }
  return {};
}

// round(value * scale / 255), halves up.
uint8_t scaled(uint32_t value, uint32_t scale) {
  return static_cast<uint8_t>((2 * value * scale + 255) / 510);
}

using JpegDecoder = std::unique_ptr<void, int (*)(tjhandle)>;

Error jpeg_error(const JpegDecoder& decoder) {
  const bool warning = tjGetErrorCode(decoder.get()) == TJERR_WARNING;
  return {std::string(warning ? "is damaged: " : "is no JPEG that can be read: ") +
          tjGetErrorStr2(decoder.get())};
}

// Ink on white paper. Adobe's programs store how much of each ink is missing.
void ink_to_rgb(const Bytes& ink, bool inverted, Bytes& rgb) {
  const uint8_t flip = inverted ? 0 : 0xff;
  for (size_t i = 0; i < ink.size() / 4; ++i) {
    const auto black = static_cast<uint8_t>(ink[4 * i + 3] ^ flip);
    for (size_t c = 0; c < 3; ++c) rgb[3 * i + c] = scaled(ink[4 * i + c] ^ flip, black);
  }
}

Result<Picture> decode_jpeg(BytesView file) {
  const JpegDecoder decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) return Error{"cannot be read: no memory"};
  int width = 0, height = 0, subsampling = 0, colors = 0;
  const auto size = static_cast<unsigned long>(file.size());
  if (tjDecompressHeader3(decoder.get(), file.data(), size, &width, &height, &subsampling, &colors) != 0) {
    return jpeg_error(decoder);
  }
  if (width <= 0 || height <= 0) return Error{"is no JPEG that can be read: its header ends too early"};
  CAIRN_CHECK(check_size(static_cast<uint64_t>(width), static_cast<uint64_t>(height)));
  Picture picture{static_cast<uint32_t>(width), static_cast<uint32_t>(height), {}};
  const bool ink = colors == TJCS_CMYK || colors == TJCS_YCCK;
  const size_t pixels = size_t{picture.width} * picture.height;
  const auto room = wait_for_memory(pixels);
  picture.pixels.resize(3 * pixels);
  Bytes inks(ink ? 4 * pixels : 0);
  // The slow, exact transform; and no more scans than a picture needs, which a bomb would have.
  constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  if (tjDecompress2(decoder.get(), file.data(), size, ink ? inks.data() : picture.pixels.data(), width, 0,
                    height, ink ? TJPF_CMYK : TJPF_RGB, kFlags) != 0) {
    return jpeg_error(decoder);
  }
  const JpegMarks marks = jpeg_marks(file);
  if (ink) ink_to_rgb(inks, marks.adobe, picture.pixels);
  return upright(std::move(picture), marks.orientation);
}

// What libpng's callbacks work on.
struct PngInput {
  BytesView rest;
  char message[160] = "";
};

void png_read(png_structp png, png_bytep out, size_t count) {
  auto* input = static_cast<PngInput*>(png_get_io_ptr(png));
  if (count > input->rest.size()) png_error(png, "ends too early");
  std::memcpy(out, input->rest.data(), count);
  input->rest = input->rest.subspan(count);
}

void png_fail(png_structp png, png_const_charp message) {
  auto* input = static_cast<PngInput*>(png_get_error_ptr(png));
  std::strncpy(input->message, message, sizeof input->message - 1);
  png_longjmp(png, 1);
}

void png_warn(png_structp, png_const_charp) {}  // of colour profiles, for the most part

// Reads a file in steps. libpng leaves each of them by longjmp() where it fails, so nothing that has a
// destructor lives inside one.
class PngReader {
 public:
  explicit PngReader(BytesView file) : input_{file} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &input_, png_fail, png_warn);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  bool read_header() {
    if (info_ == nullptr || setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, &input_, png_read);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size() judges
    png_set_chunk_malloc_max(png_, 8 << 20);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_read_info(png_, info_);
    return true;
  }
  uint32_t width() const { return png_get_image_width(png_, info_); }
  uint32_t height() const { return png_get_image_height(png_, info_); }

  // Eight bits each of red, green, blue and alpha, whatever is stored. False also where that is not so.
  bool read_rows(uint8_t* rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_gray_to_rgb(png_);
    png_set_add_alpha(png_, 0xff, PNG_FILLER_AFTER);
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    const size_t row = 4 * size_t{width()};
    if (png_get_rowbytes(png_, info_) != row) png_error(png_, "has rows of an unknown kind");
    for (int pass = 0; pass < passes; ++pass) {
      for (size_t y = 0; y < height(); ++y) png_read_row(png_, rows + y * row, nullptr);
    }
    png_read_end(png_, info_);
    return true;
  }

  int orientation() const {
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png_, info_, &size, &exif) == 0) return 1;
    return exif_orientation(BytesView(exif, size));
  }

  Error error() const { return {std::string("is no PNG that can be read: ") + input_.message}; }

 private:
  PngInput input_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

Result<Picture> decode_png(BytesView file) {
  PngReader reader(file);
  if (!reader.read_header()) return reader.error();
  CAIRN_CHECK(check_size(reader.width(), reader.height()));
  Picture picture{reader.width(), reader.height(), {}};
  const size_t pixels = size_t{picture.width} * picture.height;
  const auto room = wait_for_memory(pixels);
  Bytes rows(4 * pixels);
  if (!reader.read_rows(rows.data())) return reader.error();
  picture.pixels.resize(3 * pixels);
  for (size_t i = 0; i < pixels; ++i) {  // on white paper
    const uint32_t alpha = rows[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      picture.pixels[3 * i + c] =
          static_cast<uint8_t>((2 * (rows[4 * i + c] * alpha + 255 * (255 - alpha)) + 255) / 510);
    }
  }
  return upright(std::move(picture), reader.orientation());
}

bool begins_with(BytesView file, std::initializer_list<uint8_t> magic) {
  return file.size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.begin());
}

}  // namespace

// What is inside counts: data sets have PNG files that are called .JPEG.
Result<Picture> decode_picture(BytesView file) {
  if (file.empty()) return Error{"is empty"};
  if (file.size() > kMaxPictureFile) return Error{"is larger than a picture's 64 MiB"};
  if (begins_with(file, {0xff, 0xd8, 0xff})) return decode_jpeg(file);
  if (begins_with(file, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'})) return decode_png(file);
  return Error{"is neither JPEG nor PNG"};
}

}  // namespace cairn::data
