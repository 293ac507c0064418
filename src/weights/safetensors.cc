#include "weights/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.h"

namespace cairn::weights {
namespace {

using ParsedJson = nlohmann::json;

constexpr std::string_view kMetadata = "__metadata__";
constexpr size_t kHeaderAlignment = 8;

struct TypeName {
  std::string_view name;
  uint64_t size;
};
constexpr std::array<TypeName, 15> kTypes = {{{"BOOL", 1},
                                              {"U8", 1},
                                              {"I8", 1},
                                              {"F8_E5M2", 1},
                                              {"F8_E4M3", 1},
                                              {"I16", 2},
                                              {"U16", 2},
                                              {"F16", 2},
                                              {"BF16", 2},
                                              {"I32", 4},
                                              {"U32", 4},
                                              {"F32", 4},
                                              {"I64", 8},
                                              {"U64", 8},
                                              {"F64", 8}}};

std::optional<uint64_t> type_size(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &TypeName::name);
  return found == kTypes.end() ? std::nullopt : std::optional(found->size);
}

std::string header_entry(const Tensor& tensor, uint64_t begin) {
  std::string text = Json(tensor.name).dump();
  text += tensor.element == Element::f32 ? R"(:{"dtype":"F32","shape":[)" : R"(:{"dtype":"I64","shape":[)";
  for (size_t d = 0; d < tensor.shape.size(); ++d)
    text.append(d == 0 ? "" : ",").append(std::to_string(tensor.shape[d]));
  text += R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(begin + tensor.bytes.size());
  return text + "]}";
}

// Field names that an object has twice are an error; so is what lies deeper than a tensor's lists.
class HeaderCheck {
 public:
  bool operator()(int depth, ParsedJson::parse_event_t event, ParsedJson& value) {
    constexpr int kDeepest = 3;
    if (depth > kDeepest) error_ = "is nested too deeply";
    if (event == ParsedJson::parse_event_t::object_start) names_.emplace_back();
    if (event == ParsedJson::parse_event_t::object_end) names_.pop_back();
    if (event == ParsedJson::parse_event_t::key && !names_.back().insert(value.get<std::string>()).second)
      error_ = "has the field '" + value.get<std::string>() + "' twice";
    return true;
  }
  const std::string& error() const { return error_; }

 private:
  std::vector<std::set<std::string>> names_;
  std::string error_;
};

Result<ParsedJson> parse_header(BytesView bytes) {
  if (bytes.empty() || bytes.front() != '{') return Error{"header: is no JSON object"};
  HeaderCheck check;
  ParsedJson header = ParsedJson::parse(bytes.begin(), bytes.end(), std::ref(check), false);
  if (!check.error().empty()) return Error{"header: " + check.error()};
  if (!header.is_object()) return Error{"header: is no JSON object"};
  return header;
}

// A list of whole numbers from 0 on.
std::optional<std::vector<uint64_t>> whole_numbers(const ParsedJson& json, size_t most) {
  if (!json.is_array() || json.size() > most) return std::nullopt;
  std::vector<uint64_t> numbers;
  for (const ParsedJson& item : json) {
    if (!item.is_number_unsigned()) return std::nullopt;
    numbers.push_back(item.get<uint64_t>());
  }
  return numbers;
}

struct Place {
  StoredTensor tensor;
  uint64_t begin = 0, end = 0;
};

Result<Place> read_entry(const std::string& name, const ParsedJson& json) {
  if (name.empty() || name.size() > model::kMaxNameLength) return Error{"its name is empty or too long"};
  const bool fields = json.is_object() && json.size() == 3 && json.contains("dtype") &&
                      json.contains("shape") && json.contains("data_offsets") && json["dtype"].is_string();
  if (!fields) return Error{"has not exactly the fields dtype, shape and data_offsets"};
  Place place{.tensor = {.name = name, .type = json["dtype"].get<std::string>(), .shape = {}, .bytes = {}}};
  const auto size = type_size(place.tensor.type);
  if (!size) return Error{"has a type that is not known"};
  const auto shape = whole_numbers(json["shape"], model::kMaxRank);
  if (!shape) return Error{"its shape is no list of at most 8 whole numbers"};
  const auto offsets = whole_numbers(json["data_offsets"], 2);
  if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1])
    return Error{"its data_offsets are not where it begins and ends"};
  place.begin = (*offsets)[0];
  place.end = (*offsets)[1];
  uint64_t bytes = *size;
  for (const uint64_t extent : *shape) {
    if (extent > INT64_MAX || __builtin_mul_overflow(bytes, extent, &bytes))
      return Error{"its shape overflows"};
    place.tensor.shape.push_back(static_cast<int64_t>(extent));
  }
  if (bytes != place.end - place.begin) return Error{"its shape does not fit its data_offsets"};
  return place;
}

Status check_metadata(const ParsedJson& json) {
  const bool texts =
      json.is_object() && std::ranges::all_of(json, [](const auto& item) { return item.is_string(); });
  return texts ? Status() : Status(Error{"__metadata__: is no object of texts"});
}

Result<std::vector<Place>> read_places(const ParsedJson& header) {
  std::vector<Place> places;
  if (header.size() > kMaxStoredTensors)
    return Error{"header: names more than " + std::to_string(kMaxStoredTensors) + " tensors"};
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) {
      CAIRN_CHECK(check_metadata(json));
      continue;
    }
    auto place = read_entry(name, json);
    if (!place) return place.error().within("tensor '" + name + "'");
    places.push_back(*std::move(place));
  }
  std::ranges::sort(places, {}, [](const Place& place) { return std::pair(place.begin, place.end); });
  return places;
}

float half(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const float size = exponent == 31  ? (fraction == 0 ? INFINITY : NAN)
                     : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                     : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return (bits & 0x8000) != 0 ? -size : size;
}

template <typename Bits, typename Convert>
std::vector<float> converted(BytesView bytes, Convert convert) {
  std::vector<float> numbers;
  numbers.reserve(bytes.size() / sizeof(Bits));
  for (size_t at = 0; at < bytes.size(); at += sizeof(Bits)) {
    Bits bits;
    std::memcpy(&bits, bytes.data() + at, sizeof bits);
    numbers.push_back(convert(bits));
  }
  return numbers;
}

}  // namespace

Bytes encode_safetensors(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> order;
  for (const Tensor& tensor : tensors) order.push_back(&tensor);
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [](const Tensor* t) { return element_size(t->element); });
  std::string header = R"({"__metadata__":{"format":"pt"})";
  uint64_t end = 0;
  for (const Tensor* tensor : order) {
    header.append(",").append(header_entry(*tensor, end));
    end += tensor->bytes.size();
  }
  header += "}";
  header.append((kHeaderAlignment - header.size() % kHeaderAlignment) % kHeaderAlignment, ' ');
  ByteWriter out;
  out.u64(header.size());
  out.raw(as_bytes(header));
  for (const Tensor* tensor : order) out.raw(tensor->bytes);
  return out.take();
}

Result<std::vector<StoredTensor>> read_safetensors(BytesView file) {
  ByteReader in(file);
  const uint64_t size = in.u64("header length");
  if (in.ok() && (size > kMaxSafetensorsHeader || size > in.remaining()))
    return Error{"header length: " + std::to_string(size) +
                 " bytes do not fit the file or the limit of 16 MiB"};
  const BytesView text = in.raw("header", size);
  CAIRN_CHECK(in.status());
  CAIRN_TRY(const ParsedJson header, parse_header(text));
  CAIRN_TRY(std::vector<Place> places, read_places(header));
  const BytesView data = in.raw("data", in.remaining());
  std::vector<StoredTensor> tensors;
  uint64_t end = 0;
  for (Place& place : places) {
    if (place.begin != end || place.end > data.size())
      return Error{"tensor '" + place.tensor.name +
                   "': overlaps another, leaves a gap or lies outside the file"};
    place.tensor.bytes = data.subspan(place.begin, place.end - place.begin);
    end = place.end;
    tensors.push_back(std::move(place.tensor));
  }
  if (end != data.size()) return Error{"the file has bytes that belong to no tensor"};
  return tensors;
}

Result<std::vector<float>> numbers_of(const StoredTensor& tensor) {
  std::vector<float> numbers;
  if (tensor.type == "F32") {
    numbers = converted<float>(tensor.bytes, [](float value) { return value; });
  } else if (tensor.type == "F16") {
    numbers = converted<uint16_t>(tensor.bytes, half);
  } else if (tensor.type == "BF16") {
    numbers = converted<uint16_t>(tensor.bytes,
                                  [](uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); });
  } else if (tensor.type == "F64") {
    numbers = converted<double>(tensor.bytes, [](double value) { return static_cast<float>(value); });
  } else {
    return Error{"tensor '" + tensor.name + "': holds numbers of type " + tensor.type +
                 " where F32, F16, BF16 or F64 are taken"};
  }
  if (!std::ranges::all_of(numbers, [](float value) { return std::isfinite(value); }))
    return Error{"tensor '" + tensor.name + "': holds a number that is not finite"};
  return numbers;
}

}  // namespace cairn::weights
