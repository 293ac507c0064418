// Zip archives (PKWARE APPNOTE 6.3.10) as NumPy and PyTorch read them: stored entries, no compression, below
// 4 GiB in all. The same entries give the same bytes: they carry the date 1980-01-01.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace cairn {

inline constexpr size_t kMaxZipEntries = 65535;

// Collects entries, then gives the archive. One thread at a time.
class StoredZip {
 public:
  // An entry of these pieces, one after the other. Its bytes begin at a multiple of `alignment` in the
  // archive (by an extra field, as PyTorch's own writer has it); 1: where they fall.
  void add(std::string_view name, std::initializer_list<BytesView> pieces, uint32_t alignment = 1);

  // The archive's bytes; afterwards this is used up. Refuses two entries of one name, and more than fits.
  Result<Bytes> finish();

 private:
  struct Entry {
    std::string name;
    uint64_t offset;
    uint32_t size;
    uint32_t crc;
  };
  ByteWriter file_;
  std::vector<Entry> entries_;
  std::string error_;
};

// CRC-32 of `bytes` behind what has the checksum `seed`.
uint32_t zip_checksum(BytesView bytes, uint32_t seed = 0);

}  // namespace cairn
