#include "data/image.h"

#include <gmock/gmock.h>

#include <random>

#include "data/exif.h"
#include "data/mutation.h"
#include "data/resize.h"
#include "data/sample_pictures.h"

namespace cairn::data {
namespace {

using ::testing::HasSubstr;

std::string refusal(BytesView file) {
  const auto picture = decode_picture(file);
  return picture ? "accepted" : picture.error().message;
}

Picture must(BytesView file) {
  auto picture = decode_picture(file);
  EXPECT_TRUE(picture.ok()) << (picture ? "" : picture.error().message);
  return picture ? *std::move(picture) : Picture{};
}

// The red of each pixel; what these tests look at is the same in all three.
std::vector<int> reds(const Picture& picture) {
  std::vector<int> values;
  for (size_t i = 0; i < picture.pixels.size(); i += 3) values.push_back(picture.pixels[i]);
  return values;
}

TEST(DecodePicture, ReadsJpegInColourAndGrey) {
  const Picture color = must(jpeg_file(5, 3, plain_pixels(5, 3, 2), 3, 100));
  EXPECT_EQ(color.width, 5u);
  EXPECT_EQ(color.height, 3u);
  ASSERT_EQ(color.pixels.size(), 45u);
  for (const auto& [place, value] : {std::pair(0, 74), std::pair(1, 182), std::pair(2, 106)})
    EXPECT_NEAR(color.pixels[static_cast<size_t>(place)], value, 2);
  const Picture grey = must(jpeg_file(4, 2, Bytes(8, 99), 1));
  EXPECT_EQ(grey.pixels, Bytes(24, 99));
  EXPECT_EQ(must(jpeg_file(4, 2, Bytes(8, 99), 1, 90, TJFLAG_PROGRESSIVE)).pixels, Bytes(24, 99));
}

// Adobe's programs store what is missing of each ink, which others store as it is.
TEST(DecodePicture, ReadsInksAsOnWhitePaper) {
  Bytes inks;
  for (int i = 0; i < 64; ++i) inks.insert(inks.end(), {255, 128, 0, 200});
  const Bytes file = jpeg_file(8, 8, inks, 4, 100);
  const bool adobe = jpeg_marks(file).adobe;
  ASSERT_TRUE(adobe);  // the library marks what it writes
  const Picture picture = must(file);
  EXPECT_NEAR(picture.pixels[0], 200, 2);
  EXPECT_NEAR(picture.pixels[1], 100, 3);
  EXPECT_NEAR(picture.pixels[2], 0, 2);
}

TEST(DecodePicture, TurnsWhatTheCameraHeldAskew) {
  Bytes pixels;
  for (const int value : {10, 20, 30, 40, 50, 60})
    pixels.insert(pixels.end(), 3, static_cast<uint8_t>(value));
  const Bytes png = png_file(3, 2, {}, pixels);
  const auto shown = [&](int orientation) { return reds(upright(must(png), orientation)); };
  using Values = std::vector<int>;
  EXPECT_EQ(shown(1), (Values{10, 20, 30, 40, 50, 60}));
  EXPECT_EQ(shown(2), (Values{30, 20, 10, 60, 50, 40}));
  EXPECT_EQ(shown(3), (Values{60, 50, 40, 30, 20, 10}));
  EXPECT_EQ(shown(4), (Values{40, 50, 60, 10, 20, 30}));
  EXPECT_EQ(shown(5), (Values{10, 40, 20, 50, 30, 60}));
  EXPECT_EQ(shown(6), (Values{40, 10, 50, 20, 60, 30}));
  EXPECT_EQ(shown(7), (Values{60, 30, 50, 20, 40, 10}));
  EXPECT_EQ(shown(8), (Values{30, 60, 20, 50, 10, 40}));
  EXPECT_EQ(upright(must(png), 6).width, 2u);
  EXPECT_EQ(shown(9), shown(1));
}

TEST(DecodePicture, ReadsTheOrientationOfBothFormatsInBothByteOrders) {
  Bytes pixels;
  for (int i = 0; i < 64 * 3; ++i) pixels.push_back(static_cast<uint8_t>(i < 96 ? 0 : 255));  // dark above
  const Bytes jpeg = jpeg_file(8, 8, pixels, 3, 100);
  EXPECT_LT(must(jpeg).pixels[0], 10);
  for (const bool little : {true, false}) {
    Bytes block = exif_block(3, little);
    EXPECT_EQ(exif_orientation(block), 3);
    Bytes segment = {'E', 'x', 'i', 'f', 0, 0};
    segment.insert(segment.end(), block.begin(), block.end());
    EXPECT_GT(must(with_segment(jpeg, 0xe1, segment)).pixels[0], 245);
    const Bytes png = png_file(8, 8, {8, 2, {{"eXIf", block}}}, pixels);
    EXPECT_EQ(must(png).pixels[0], 255);
  }
  for (const int wrong : {0, 9, 200}) EXPECT_EQ(exif_orientation(exif_block(static_cast<uint8_t>(wrong))), 1);
  for (size_t size = 0; size < 20; ++size)
    EXPECT_EQ(exif_orientation(BytesView(exif_block(6)).first(size)), 1);
}

TEST(DecodePicture, ReadsEveryKindOfPng) {
  EXPECT_EQ(reds(must(png_file(4, 1, {1, 0, {}}, Bytes{0b10100000}))), (std::vector<int>{255, 0, 255, 0}));
  EXPECT_EQ(reds(must(png_file(2, 1, {2, 0, {}}, Bytes{0b01100000}))), (std::vector<int>{85, 170}));
  EXPECT_EQ(reds(must(png_file(2, 1, {4, 0, {}}, Bytes{0x3f}))), (std::vector<int>{51, 255}));
  EXPECT_EQ(reds(must(png_file(2, 1, {8, 0, {}}, Bytes{7, 200}))), (std::vector<int>{7, 200}));
  const Bytes palette = {1, 2, 3, 40, 50, 60};
  EXPECT_EQ(must(png_file(2, 1, {8, 3, {{"PLTE", palette}}}, Bytes{1, 0})).pixels,
            (Bytes{40, 50, 60, 1, 2, 3}));
  EXPECT_EQ(must(png_file(1, 1, {8, 6, {}}, Bytes{10, 20, 30, 255})).pixels, (Bytes{10, 20, 30}));
}

TEST(DecodePicture, PutsWhatIsTransparentOnWhite) {
  EXPECT_EQ(must(png_file(1, 1, {8, 6, {}}, Bytes{10, 20, 30, 0})).pixels, (Bytes{255, 255, 255}));
  EXPECT_EQ(must(png_file(1, 1, {8, 4, {}}, Bytes{0, 128})).pixels, (Bytes{127, 127, 127}));
  const Bytes palette = {1, 2, 3, 40, 50, 60};
  const PngKind kind{8, 3, {{"PLTE", palette}, {"tRNS", Bytes{0}}}};
  EXPECT_EQ(must(png_file(2, 1, kind, Bytes{1, 0})).pixels, (Bytes{40, 50, 60, 255, 255, 255}));
}

// v of 65535 is the nearest of 255.
TEST(DecodePicture, RoundsSixteenBitsToTheNearest) {
  Bytes row;
  for (uint32_t v = 0; v < 65536; v += 17)
    row.insert(row.end(), {static_cast<uint8_t>(v >> 8), static_cast<uint8_t>(v)});
  const auto width = static_cast<uint32_t>(row.size() / 2);
  Bytes rows;
  for (int i = 0; i < 500; ++i) rows.insert(rows.end(), row.begin(), row.end());
  const Picture picture = must(png_file(width, 500, {16, 0, {}}, rows));
  for (uint32_t i = 0; i < width; ++i) EXPECT_EQ(picture.pixels[3 * i], (17 * i * 255 + 32767) / 65535) << i;
}

TEST(DecodePicture, RefusesWhatIsDamagedEmptyOrNoPicture) {
  const Bytes jpeg = jpeg_file(40, 30, plain_pixels(40, 30, 1)),
              png = png_file(4, 4, {}, plain_pixels(4, 4, 1));
  EXPECT_EQ(refusal({}), "is empty");
  EXPECT_EQ(refusal(Bytes{'G', 'I', 'F', '8', '9', 'a'}), "is neither JPEG nor PNG");
  EXPECT_THAT(refusal(BytesView(jpeg).first(jpeg.size() - 20)), HasSubstr("is damaged: "));
  EXPECT_THAT(refusal(BytesView(jpeg).first(100)), HasSubstr("is no JPEG that can be read: "));
  EXPECT_THAT(refusal(BytesView(png).first(png.size() - 20)),
              HasSubstr("is no PNG that can be read: ends too"));
  Bytes wrong_sum = png;
  wrong_sum[png.size() - 14] ^= 1;
  EXPECT_THAT(refusal(wrong_sum), HasSubstr("CRC"));
}

// A few bytes that declare gigabytes, which are not allocated.
TEST(DecodePicture, RefusesBombsByWhatTheyDeclare) {
  Bytes png = png_file(1, 1, {}, Bytes(3));
  Bytes header;
  put_big_endian(header, 60'000);
  put_big_endian(header, 60'000);
  header.insert(header.end(), {8, 2, 0, 0, 0});
  Bytes bomb(png.begin(), png.begin() + 8);
  put_png_chunk(bomb, "IHDR", header);
  bomb.insert(bomb.end(), png.begin() + 8 + 25, png.end());
  EXPECT_THAT(refusal(bomb), HasSubstr("declares 60000x60000 pixels where sides of 16384"));
  Bytes jpeg = jpeg_file(16, 16, plain_pixels(16, 16, 1));
  for (size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] != 0xff || jpeg[i + 1] != 0xc0) continue;
    for (const size_t place : {5, 6, 7, 8}) jpeg[i + place] = 0xf0;
    break;
  }
  EXPECT_THAT(refusal(jpeg), HasSubstr("declares 61680x61680 pixels"));
  EXPECT_THAT(refusal(png_file(500, 2, {8, 0, {}}, Bytes(1000))), HasSubstr("too narrow"));
}

TEST(DecodePicture, SurvivesDamage) {
  const Bytes originals[] = {jpeg_file(20, 15, plain_pixels(20, 15, 1)),
                             png_file(9, 7, {}, plain_pixels(9, 7, 1))};
  std::mt19937_64 random(6);
  int accepted = 0;
  for (int i = 0; i < 4'000; ++i) {
    const auto picture = decode_picture(mutate(originals[i % 2], random));
    if (!picture) continue;
    ++accepted;
    EXPECT_EQ(picture->pixels.size(), 3 * size_t{picture->width} * picture->height);
  }
  EXPECT_LT(accepted, 4'000);
}

TEST(FitPicture, CutsTheMiddleOutOfTheResizedPicture) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 60; ++i) {
    const auto height = static_cast<uint32_t>(4 + random() % 27),
               width = static_cast<uint32_t>(4 + random() % 27);
    Bytes planes(3 * height * width);
    for (uint8_t& value : planes) value = static_cast<uint8_t>(random());
    Picture picture{width, height, Bytes(planes.size())};
    for (size_t c = 0; c < 3; ++c) {
      for (size_t p = 0; p < height * width; ++p) picture.pixels[3 * p + c] = planes[c * height * width + p];
    }
    const auto side = static_cast<uint32_t>(1 + random() % 12);
    const uint32_t shorter = side + static_cast<uint32_t>(random() % 5);
    const ImageSize size = {height * shorter / std::min(height, width),
                            width * shorter / std::min(height, width)};
    const Bytes resized = resize(planes, 3, {height, width}, size);
    const Bytes fitted = fit_picture(picture, {3, side, shorter});
    ASSERT_EQ(fitted.size(), 3 * side * side);
    for (size_t c = 0; c < 3; ++c) {
      for (size_t y = 0; y < side; ++y) {
        for (size_t x = 0; x < side; ++x) {
          const size_t from =
              (c * size.height + y + (size.height - side) / 2) * size.width + x + (size.width - side) / 2;
          ASSERT_EQ(fitted[(c * side + y) * side + x], resized[from]);
        }
      }
    }
  }
}

TEST(FitPicture, KeepsAPictureOfThatSizeAndMeansOfFour) {
  Picture picture{2, 2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
  EXPECT_EQ(fit_picture(picture, {3, 2, 2}), (Bytes{1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12}));
  EXPECT_EQ(fit_picture(picture, {3, 1, 1}), (Bytes{6, 7, 8}));  // 5.5 and its neighbours, halves up
  EXPECT_EQ(fit_picture({1, 1, {10, 20, 30}}, {1, 1, 1}), Bytes{18});
  EXPECT_EQ(fit_picture({1, 1, {200, 200, 200}}, {1, 1, 1}), Bytes{200});
}

TEST(FitPicture, TakesTheNarrowestPictureToTheLargestSize) {
  const Picture picture{1, kMaxPictureRatio, Bytes(3 * kMaxPictureRatio, 255)};
  EXPECT_EQ(fit_picture(picture, {3, kMaxImportSide, kMaxImportSide}),
            Bytes(3 * uint64_t{kMaxImportSide} * kMaxImportSide, 255));
}

}  // namespace
}  // namespace cairn::data
