// NumPy's .npz files: a zip archive (base/stored_zip.h) of .npy arrays (NumPy enhancement proposal 1).
//
// Only what numpy.savez writes: stored entries, no compression, little-endian, C order, below 4 GiB in all.
// The same arrays give the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/stored_zip.h"

namespace cairn {

enum class NpzType : uint8_t { u8, i32, i64, f32, f64 };

template <typename T>
inline constexpr NpzType kNpzType = [] {
  if constexpr (std::is_same_v<T, uint8_t>) return NpzType::u8;
  if constexpr (std::is_same_v<T, int32_t>) return NpzType::i32;
  if constexpr (std::is_same_v<T, int64_t>) return NpzType::i64;
  if constexpr (std::is_same_v<T, float>) return NpzType::f32;
  if constexpr (std::is_same_v<T, double>) return NpzType::f64;
}();

// Collects arrays, then gives the file. One thread at a time.
class NpzWriter {
 public:
  // T is one of the types above. Precondition: values.size() is the product of the shape.
  template <typename T>
  void add(std::string_view name, std::span<const int64_t> shape, std::span<const T> values) {
    add_array(name, shape, kNpzType<T>,
              {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()});
  }

  // The file's bytes; afterwards the writer is used up. Refuses two arrays of one name, empty names, names
  // over kMaxNpzName bytes and files of 4 GiB or more.
  Result<Bytes> finish();

 private:
  void add_array(std::string_view name, std::span<const int64_t> shape, NpzType type, BytesView data);

  StoredZip zip_;
  std::string error_;
};

inline constexpr size_t kMaxNpzName = 1024;
inline constexpr size_t kMaxNpzRank = 32;

// An array of a file that was read: a view into the file's bytes, which must outlive it.
struct NpzArray {
  std::string name;
  std::vector<int64_t> shape;
  NpzType type;
  BytesView data;

  // A copy of the values; refused if T is not the array's type.
  template <typename T>
  Result<std::vector<T>> values() const {
    if (type != kNpzType<T>) return Error{"array " + name + " has another element type"};
    std::vector<T> result(data.size() / sizeof(T));
    if (!result.empty()) std::memcpy(result.data(), data.data(), data.size());
    return result;
  }
};

// All arrays in the order of the file's directory. Checks every length and checksum.
Result<std::vector<NpzArray>> read_npz(BytesView file);

}  // namespace cairn
