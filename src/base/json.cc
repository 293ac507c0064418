#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/result.h"

namespace cairn {

using Written = nlohmann::ordered_json;

struct Json::Value {
  struct Literal {
    std::string text;
  };
  using Array = std::vector<Json>;
  using Object = std::vector<Field>;
  std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, Literal, Array, Object> content;

  // The array or object that this is, or becomes if it is null.
  template <typename T>
  T& as() {
    if (std::holds_alternative<std::nullptr_t>(content)) content = T{};
    T* held = std::get_if<T>(&content);
    CAIRN_ASSERT(held != nullptr);
    return *held;
  }

  Written written() const {
    return std::visit([](const auto& held) { return to_written(held); }, content);
  }

 private:
  template <typename T>
  static Written to_written(const T& held) {
    return held;
  }
  static Written to_written(const Literal& literal) { return Written::parse(literal.text); }
  static Written to_written(const Array& items) {
    Written list = Written::array();
    for (const Json& item : items) list.push_back(item.value_->written());
    return list;
  }
  static Written to_written(const Object& fields) {
    Written object = Written::object();
    for (const auto& [name, value] : fields) object[name] = value.value_->written();
    return object;
  }
};

Json::Json(std::nullptr_t) : value_(new Value{nullptr}) {}
Json::Json(bool value) : value_(new Value{value}) {}
Json::Json(double value) : value_(new Value{value}) {}
Json::Json(std::string text) : value_(new Value{std::move(text)}) {}
Json::Json(Signed value) : value_(new Value{value.value}) {}
Json::Json(Unsigned value) : value_(new Value{value.value}) {}
Json::Json(std::initializer_list<Field> fields) : value_(new Value{Value::Object(fields)}) {}

Json Json::array() {
  Json json;
  json.value_->content = Value::Array();
  return json;
}

Json Json::literal(std::string text) {
  CAIRN_ASSERT(Written::accept(text));
  Json json;
  json.value_->content = Value::Literal{std::move(text)};
  return json;
}

Json::Json(const Json& other) : value_(new Value(*other.value_)) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}
Json::~Json() = default;

Json& Json::operator[](std::string_view name) {
  auto& fields = value_->as<Value::Object>();
  const auto found = std::ranges::find(fields, name, &Field::first);
  if (found != fields.end()) return found->second;
  return fields.emplace_back(name, nullptr).second;
}

void Json::push_back(Json item) {
  value_->as<Value::Array>().push_back(std::move(item));
}

size_t Json::size() const {
  if (const auto* items = std::get_if<Value::Array>(&value_->content)) return items->size();
  if (const auto* fields = std::get_if<Value::Object>(&value_->content)) return fields->size();
  return 0;
}

std::string Json::dump() const {
  return value_->written().dump(-1, ' ', false, Written::error_handler_t::replace);
}

std::string Json::pretty(int indent) const {
  return value_->written().dump(indent, ' ', false, Written::error_handler_t::replace);
}

}  // namespace cairn
