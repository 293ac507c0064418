#include "ledger/event_codec.h"

#include <utility>

namespace cairn::ledger {
namespace {

template <class Visitor, size_t... I>
void for_each_kind(Visitor&& visitor, std::index_sequence<I...>) {
  (visitor.template operator()<std::variant_alternative_t<I, Body>>(), ...);
}

// Calls visitor.operator()<B>() for each alternative of Body.
template <class Visitor>
void for_each_kind(Visitor&& visitor) {
  for_each_kind(visitor, std::make_index_sequence<std::variant_size_v<Body>>());
}

}  // namespace

void Encoder::body(const Body& body) {
  std::visit(
      [this]<class B>(const B& alternative) {
        writer_.u16(kKind<B>.number);
        fields(*this, alternative);
      },
      body);
}

template <class B>
void Decoder::body_as(Body& body) {
  B alternative;
  (*this)(kKind<B>.name.data(), alternative);
  body = std::move(alternative);
}

void Decoder::body(Body& body) {
  const uint16_t number = reader_.u16("kind");
  if (!reader_.ok()) return;
  bool known = false;
  for_each_kind([&]<class B>() {
    if (kKind<B>.number != number) return;
    known = true;
    body_as<B>(body);
  });
  if (!known) {
    reader_.fail("kind", std::to_string(number) + " is no kind of event that this version knows");
  }
}

void Decoder::version(uint16_t number) {
  const uint16_t found = reader_.u16("version");
  if (reader_.ok() && found != number) {
    reader_.fail("version", std::to_string(found) + " where this program reads " + std::to_string(number));
  }
}

uint8_t Decoder::byte_up_to(const char* name, uint8_t last) {
  const uint8_t value = reader_.u8(name);
  if (value <= last) return value;
  reader_.fail(name, std::to_string(value) + " where at most " + std::to_string(last) + " is allowed");
  return 0;
}

void Decoder::check(const char* name, const Status& status) {
  if (reader_.ok() && !status) reader_.fail(name, status.error().message);
}

Status Decoder::finish() {
  Status status = reader_.finish();
  if (!status) return Error{place_ + status.error().message};
  return {};
}

namespace {

template <class T>
Bytes encode_struct(const T& value) {
  Encoder encoder;
  fields(encoder, value);
  return encoder.bytes();
}

template <class T>
Result<T> decode_struct(BytesView bytes) {
  if (bytes.size() > kMaxEventSize) {
    return Error{"size: " + std::to_string(bytes.size()) + " bytes where at most " +
                 std::to_string(kMaxEventSize) + " are allowed"};
  }
  Decoder decoder(bytes);
  T value;
  fields(decoder, value);
  CAIRN_CHECK(decoder.finish());
  return value;
}

}  // namespace

Bytes encode(const Statement& statement) {
  return encode_struct(statement);
}

Bytes encode(const Event& event) {
  return encode_struct(event);
}

Result<Statement> decode_statement(BytesView bytes) {
  return decode_struct<Statement>(bytes);
}

Result<Event> decode_event(BytesView bytes) {
  CAIRN_TRY(Event event, decode_struct<Event>(bytes));
  if (event.time < 0) return Error{"time: before 1970"};
  return event;
}

std::string_view kind_name(const Body& body) {
  return std::visit([]<class B>(const B&) { return kKind<B>.name; }, body);
}

uint16_t kind_number(const Body& body) {
  return std::visit([]<class B>(const B&) { return kKind<B>.number; }, body);
}

}  // namespace cairn::ledger
