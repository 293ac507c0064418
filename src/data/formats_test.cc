// The forms of data sets that are one or a few large files: tar, CIFAR, CSV.
#include <gmock/gmock.h>

#include <random>

#include "base/file.h"
#include "data/import.h"
#include "data/mutation.h"
#include "data/sample_pictures.h"
#include "data/tar.h"

namespace cairn::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

class Formats : public ::testing::Test {
 protected:
  void put(const std::string& name, BytesView bytes) const { write_plain(source_ / name, bytes); }
  void put(const std::string& name, const std::string& text) const { put(name, as_bytes(text)); }
  Result<Imported> import(const std::string& name = "", uint32_t side = 4) {
    fs::remove_all(target_ / "data");
    const fs::path path = name.empty() ? source_.path() : source_ / name;
    return import_data({.source = path.string(), .name = "data", .shape = {3, side, side}}, target_ / "data",
                       pool_, {});
  }
  Imported must(const std::string& name = "", uint32_t side = 4) {
    auto imported = import(name, side);
    if (!imported) throw std::runtime_error(imported.error().message);
    return *std::move(imported);
  }
  std::string refusal(const std::string& name = "") {
    const auto imported = import(name);
    return imported ? "accepted" : imported.error().message;
  }
  static std::vector<std::string> lines(const Imported& imported) {
    std::vector<std::string> all;
    const auto report = read_report(imported.report, 1000);
    for (const Skipped& one : *report) all.push_back(one.name + ": " + one.reason);
    return all;
  }
  // The sample of that name.
  Bytes sample(const Imported& imported, const std::string& name, uint16_t* label = nullptr) {
    const ShardStore store(target_ / "data" / kShardFolder);
    const DataSet data(imported.manifest, store);
    const auto index = data.find(name);
    if (!index) throw std::runtime_error(index.error().message);
    if (label != nullptr) *label = *data.label(Split::train, *index);
    return *data.sample(Split::train, *index);
  }

  TemporaryDirectory source_, target_;
  ThreadPool pool_{2};
};

// -- Tar

void put_member(Bytes& archive, const std::string& name, BytesView content, char kind = '0') {
  Bytes header(512);
  const auto put = [&](size_t place, const std::string& text) {
    std::ranges::copy(text, header.begin() + static_cast<ptrdiff_t>(place));
  };
  const auto octal = [](uint64_t value) {
    std::string digits(11, '0');
    for (size_t i = 11; i-- > 0; value /= 8) digits[i] = static_cast<char>('0' + value % 8);
    return digits;
  };
  put(0, name.substr(0, 100));
  put(124, octal(content.size()));
  header[156] = static_cast<uint8_t>(kind);
  put(257, "ustar");
  put(148, "        ");
  uint64_t sum = 0;
  for (const uint8_t byte : header) sum += byte;
  put(148, octal(sum).substr(5) + std::string(1, '\0') + " ");
  archive.insert(archive.end(), header.begin(), header.end());
  archive.insert(archive.end(), content.begin(), content.end());
  archive.resize((archive.size() + 511) / 512 * 512);
}

Bytes picture(uint32_t number) {
  return jpeg_file(8, 8, plain_pixels(8, 8, number));
}

Bytes archive(uint32_t first, uint32_t end) {
  Bytes bytes;
  for (uint32_t i = first; i < end; ++i) {
    put_member(bytes, "some/" + std::to_string(i) + ".jpg", picture(i));
    put_member(bytes, "some/" + std::to_string(i) + ".cls", as_bytes(std::to_string(i % 3) + "\n"));
  }
  bytes.resize(bytes.size() + 1024);
  return bytes;
}

TEST_F(Formats, TarHasSamplesOfPicturesAndClasses) {
  put("train-0.tar", archive(0, 5));
  put("train-1.tar", archive(5, 9));
  put("val-0.tar", archive(0, 3));
  const Imported imported = must();
  EXPECT_EQ(imported.skipped, 0u);
  EXPECT_THAT(imported.manifest.classes, ElementsAre("0", "1", "2"));
  EXPECT_EQ(imported.manifest.count(Split::train), 9u);
  EXPECT_EQ(imported.manifest.count(Split::test), 3u);
  uint16_t label = 9;
  EXPECT_EQ(sample(imported, "some/7", &label), fit_picture(*decode_picture(picture(7)), {3, 4, 4}));
  EXPECT_EQ(label, 1);
}

TEST_F(Formats, TarLeavesOutSamplesThatAreNotWhole) {
  Bytes bytes;
  put_member(bytes, "a.jpg", picture(1));
  put_member(bytes, "b.cls", as_bytes(std::string("1")));
  put_member(bytes, "c.jpg", picture(1));
  put_member(bytes, "c.cls", as_bytes(std::string("cat")));
  put_member(bytes, "d.jpg", as_bytes(std::string("no picture")));
  put_member(bytes, "d.cls", as_bytes(std::string("0")));
  put_member(bytes, "e\nf.jpg", picture(1));
  put_member(bytes, "e\nf.cls", as_bytes(std::string("0")));
  put_member(bytes, "g", {}, '5');
  for (int i = 0; i < 2; ++i) {
    put_member(bytes, "good.jpg", picture(1));
    put_member(bytes, "good.cls", as_bytes(std::string("1")));
    put_member(bytes, "good.json", as_bytes(std::string("{}")));
    put_member(bytes, "between.cls", as_bytes(std::string("0")));
  }
  put_member(bytes, "PAX", as_bytes(std::string("20 path=long/name.x\n")), 'x');
  put_member(bytes, "short", {}, '0');
  bytes.resize(bytes.size() + 1024);
  put("data.tar", bytes);
  const Imported imported = must("data.tar");
  EXPECT_EQ(imported.manifest.count(Split::train), 1u);
  EXPECT_THAT(lines(imported),
              UnorderedElementsAre("a: has no .cls", "b: has no picture",
                                   "c: has a .cls that is no number below 65536",
                                   "d: is neither JPEG nor PNG", HasSubstr("e\\x0af: a name must not"),
                                   "good: is a second sample of that name", "between: has no picture",
                                   "between: has no picture", "long/name: has no picture"));
}

TEST_F(Formats, TarThatIsCutOrDamagedIsRefused) {
  const Bytes whole = archive(0, 3);
  for (const size_t size : {size_t{100}, size_t{700}, whole.size() - 1024, size_t{1536}}) {
    put("data.tar", BytesView(whole).first(size));
    EXPECT_THAT(refusal("data.tar"), HasSubstr("ends too early; get the archive again")) << size;
  }
  Bytes damaged = whole;
  damaged[130] ^= 1;
  put("data.tar", damaged);
  EXPECT_THAT(refusal("data.tar"), HasSubstr("data.tar: at byte 0: is no tar header"));
  put("data.tar", Bytes{});
  EXPECT_THAT(refusal("data.tar"), HasSubstr("ends too early"));
  put("data.tar", Bytes(1024));
  EXPECT_THAT(refusal("data.tar"), HasSubstr("has no training sample of a picture"));
}

TEST_F(Formats, TarSurvivesDamage) {
  const Bytes whole = archive(0, 2);
  std::mt19937_64 random(9);
  for (int i = 0; i < 2'000; ++i) {
    const Bytes damaged = mutate(whole, random);
    put("data.tar", damaged);
    const Status status = for_tar_members(source_ / "data.tar", [&](const TarMember& member) -> Status {
      EXPECT_LE(member.place + member.size, damaged.size());
      return {};
    });
    EXPECT_THAT(status ? "data.tar: at byte " : status.error().message, HasSubstr("data.tar: at byte "));
  }
}

TEST_F(Formats, TarOfTestClassesThatNobodyTrainsIsRefused) {
  put("train-0.tar", archive(0, 2));
  put("test-0.tar", archive(0, 3));
  EXPECT_THAT(refusal(), HasSubstr("a test sample is of class 2, but there are 2 classes"));
}

// -- CIFAR

Bytes cifar(uint32_t labels, uint32_t count) {
  Bytes bytes;
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t l = 0; l < labels; ++l)
      bytes.push_back(static_cast<uint8_t>(l + 1 == labels ? i % 10 : 77));
    bytes.insert(bytes.end(), 3072, static_cast<uint8_t>(i));
  }
  return bytes;
}

TEST_F(Formats, CifarTenIsFiveFiles) {
  for (int i = 1; i <= 5; ++i) put("data_batch_" + std::to_string(i) + ".bin", cifar(1, 7));
  put("test_batch.bin", cifar(1, 4));
  put("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  const Imported imported = must();
  EXPECT_EQ(imported.manifest.classes[9], "j");
  EXPECT_EQ(imported.manifest.count(Split::train), 35u);
  EXPECT_EQ(imported.manifest.count(Split::test), 4u);
  uint16_t label = 0;
  EXPECT_EQ(sample(imported, "train-00010", &label), Bytes(3072, 2));
  EXPECT_EQ(label, 2);
}

TEST_F(Formats, CifarHundredTakesTheFineLabel) {
  put("train.bin", cifar(2, 30));
  const Imported imported = must();
  EXPECT_EQ(imported.manifest.classes.size(), 100u);
  uint16_t label = 0;
  EXPECT_EQ(sample(imported, "train-00014", &label), Bytes(3072, 13));
  EXPECT_EQ(label, 3);
}

TEST_F(Formats, CifarOfWrongSizesAndLabelsIsNoticed) {
  Bytes bytes = cifar(2, 3);
  bytes[3074 + 1] = 100;
  put("train.bin", bytes);
  const Imported imported = must();
  EXPECT_EQ(imported.manifest.count(Split::train), 2u);
  EXPECT_THAT(lines(imported), ElementsAre("train-00002: is of class 100, where there are 100"));
  bytes.pop_back();
  put("train.bin", bytes);
  EXPECT_THAT(refusal(),
              HasSubstr("train.bin: has 9221 bytes, which is no multiple of the 3074 of an image"));
  put("train.bin", cifar(2, 3));
  put("fine_label_names.txt", "cat\ndog\n");
  EXPECT_THAT(refusal(), HasSubstr("has to hold the names of 100 classes"));
}

// -- CSV

TEST_F(Formats, CsvOfPixels) {
  put("train.csv", "label,p0,p1,p2,p3\n2,0,1,2,255\n0,9,9,9,9\r\n1,5,6,7,8");
  put("test.csv", "label,p0,p1,p2,p3\n1,1,1,1,1\n");
  const Imported imported = must();
  EXPECT_THAT(imported.manifest.classes, ElementsAre("0", "1", "2"));
  EXPECT_EQ(imported.manifest.channels, 1u);
  EXPECT_EQ(imported.manifest.width, 2u);
  EXPECT_EQ(imported.manifest.count(Split::test), 1u);
  uint16_t label = 9;
  EXPECT_EQ(sample(imported, "row 1", &label), (Bytes{0, 1, 2, 255}));
  EXPECT_EQ(label, 2);
  EXPECT_EQ(sample(imported, "row 3"), (Bytes{5, 6, 7, 8}));
}

TEST_F(Formats, CsvLeavesOutRowsThatAreNotAsTheOthers) {
  put("data.csv", "p0,label\n7,0\n7\n7,0,0\n256,0\nx,0\n\"7,0\n\"8\",\"1\"\n");
  const Imported imported = must("data.csv");
  EXPECT_EQ(imported.manifest.count(Split::train), 2u);
  EXPECT_EQ(sample(imported, "row 7"), Bytes{8});
  EXPECT_THAT(lines(imported),
              UnorderedElementsAre("row 2: has 1 columns where the first line has 2",
                                   "row 3: has 3 columns where the first line has 2",
                                   "row 4: column 1 is no pixel from 0 to 255",
                                   "row 5: column 1 is no pixel from 0 to 255",
                                   "row 6: has quotes that are not closed as they should be"));
}

TEST_F(Formats, CsvOfPaths) {
  fs::create_directory(source_ / "pictures");
  for (uint32_t i = 0; i < 3; ++i) put("pictures/" + std::to_string(i) + ".jpg", picture(i));
  put("train.csv",
      "path,label\npictures/0.jpg,tabby cat\n\"pictures/1.jpg\",\"dog, large\"\n"
      "pictures/9.jpg,dog\npictures/0.jpg,dog\n");
  const Imported imported = must();
  EXPECT_THAT(imported.manifest.classes, ElementsAre("dog", "dog, large", "tabby cat"));
  uint16_t label = 9;
  EXPECT_EQ(sample(imported, "pictures/0.jpg", &label), fit_picture(*decode_picture(picture(0)), {3, 4, 4}));
  EXPECT_EQ(label, 2);
  EXPECT_THAT(lines(imported),
              UnorderedElementsAre(HasSubstr("pictures/9.jpg: "), "pictures/0.jpg: is there a second time"));
}

TEST_F(Formats, CsvThatIsNoneIsRefused) {
  const auto with = [&](const std::string& text) {
    put("data.csv", text);
    return refusal("data.csv");
  };
  EXPECT_THAT(with(""), HasSubstr("does not begin with a line of column names"));
  EXPECT_THAT(with("a,b\n1,2\n"), HasSubstr("names no column `label`"));
  EXPECT_THAT(with("label,a\n"), HasSubstr("has no rows"));
  EXPECT_THAT(with("label,a,b\n0,1,2\n"), HasSubstr("which are the pixels of no square"));
  EXPECT_THAT(with("path,label\nx,\n"), HasSubstr("row 1: label: "));
}

}  // namespace
}  // namespace cairn::data
