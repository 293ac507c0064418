#include "role/promises.h"

#include <algorithm>

#include "base/file.h"

namespace cairn::role {

using ledger::Receipt;

Result<std::vector<Receipt>> Promises::all() const {
  std::error_code error;
  if (!std::filesystem::exists(file(), error)) return std::vector<Receipt>{};
  CAIRN_TRY(const Bytes bytes, read_file(file(), kMaxPromises * ledger::kReceiptSize));
  std::vector<Receipt> receipts;
  for (BytesView rest = bytes; !rest.empty();) {
    auto receipt = ledger::decode_receipt(rest.first(std::min(rest.size(), ledger::kReceiptSize)));
    if (!receipt)
      return receipt.error().within(file().string() + ": is damaged; move it away to go on without it");
    rest = rest.subspan(ledger::kReceiptSize);
    receipts.push_back(*receipt);
  }
  return receipts;
}

Status Promises::write(const std::vector<Receipt>& receipts) const {
  Bytes bytes;
  for (const Receipt& receipt : receipts) {
    const Bytes one = ledger::encode(receipt);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return write_file(file(), bytes);
}

Status Promises::keep(const std::vector<Receipt>& receipts) {
  CAIRN_TRY(const DirectoryLock alone, DirectoryLock::take(directory_));
  CAIRN_TRY(std::vector<Receipt> kept, all());
  kept.insert(kept.end(), receipts.begin(), receipts.end());
  if (kept.size() > kMaxPromises)
    kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(kMaxPromises));
  return write(kept);
}

Status Promises::forget_below(uint64_t size) {
  CAIRN_TRY(const DirectoryLock alone, DirectoryLock::take(directory_));
  CAIRN_TRY(std::vector<Receipt> kept, all());
  const auto gone = std::erase_if(kept, [size](const Receipt& receipt) { return receipt.index < size; });
  return gone == 0 ? Status() : write(kept);
}

}  // namespace cairn::role
