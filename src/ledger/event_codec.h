// The two archives that turn the layouts of event_fields.h into canonical bytes and back.
#pragma once

#include "ledger/event_fields.h"

namespace cairn::ledger {

// A digest, key or signature: a fixed number of bytes.
template <class T>
concept FixedBytes = requires(T value) {
  value.bytes.size();
};

// What has fields().
template <class T>
concept Record = std::is_class_v<T> && !FixedBytes<T>;

class Encoder {
 public:
  void operator()(const char*, bool value) { writer_.u8(value ? 1 : 0); }
  void operator()(const char*, uint32_t value) { writer_.u32(value); }
  void operator()(const char*, uint64_t value) { writer_.u64(value); }
  void operator()(const char*, int64_t value) { writer_.i64(value); }

  template <FixedBytes T>
  void operator()(const char*, const T& value) {
    writer_.raw(value.bytes);
  }

  template <class T>
  void operator()(const char* name, const std::optional<T>& value) {
    (*this)(name, value.has_value());
    if (value) (*this)(name, *value);
  }

  template <Record T>
  void operator()(const char*, const T& nested) {
    fields(*this, nested);
  }

  template <class Enumeration>
  void choice(const char*, Enumeration value, Enumeration) {
    writer_.u8(static_cast<uint8_t>(value));
  }

  template <class T>
  void list(const char* name, const std::vector<T>& values, uint32_t) {
    writer_.u32(static_cast<uint32_t>(values.size()));
    for (const T& value : values) (*this)(name, value);
  }

  void body(const Body& body);
  void version(uint16_t number) { writer_.u16(number); }

  const Bytes& bytes() const { return writer_.bytes(); }

 private:
  ByteWriter writer_;
};

class Decoder {
 public:
  explicit Decoder(BytesView bytes) : reader_(bytes) {}

  void operator()(const char* name, bool& value) { value = byte_up_to(name, 1) != 0; }
  void operator()(const char* name, uint32_t& value) { value = reader_.u32(name); }
  void operator()(const char* name, uint64_t& value) { value = reader_.u64(name); }
  void operator()(const char* name, int64_t& value) { value = reader_.i64(name); }

  template <FixedBytes T>
  void operator()(const char* name, T& value) {
    value.bytes = reader_.array<std::tuple_size_v<decltype(value.bytes)>>(name);
  }

  template <class T>
  void operator()(const char* name, std::optional<T>& value) {
    bool present = false;
    (*this)(name, present);
    if (present) (*this)(name, value.emplace());
  }

  template <Record T>
  void operator()(const char* name, T& nested) {
    const bool before = reader_.ok();
    fields(*this, nested);
    if (before && !reader_.ok()) place_ = std::string(name) + ": " + place_;
    if constexpr (std::same_as<T, Policy>) check(name, validate(nested));
  }

  template <class Enumeration>
  void choice(const char* name, Enumeration& value, Enumeration last) {
    value = static_cast<Enumeration>(byte_up_to(name, static_cast<uint8_t>(last)));
  }

  template <class T>
  void list(const char* name, std::vector<T>& values, uint32_t max_count) {
    Encoder one_item;  // a list's items are all of one size
    one_item(name, T{});
    values.resize(reader_.count(name, one_item.bytes().size(), max_count));
    for (T& value : values) (*this)(name, value);
  }

  void body(Body& body);
  void version(uint16_t number);

  // The first failure, with the structs that it lies in; or bytes left over.
  Status finish();

 private:
  uint8_t byte_up_to(const char* name, uint8_t last);
  void check(const char* name, const Status& status);

  template <class B>
  void body_as(Body& body);

  ByteReader reader_;
  std::string place_;
};

}  // namespace cairn::ledger
