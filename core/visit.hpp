// Walking the tensors of a module: a struct that names its members in one static `visit`.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel {

namespace detail {

struct AnyVisitor {
  template <class Member>
  void operator()(const char*, Member&) const {}
};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

}  // namespace detail

/// A struct with `static void visit(auto& self, auto&& f)` that calls `f("name", self.member)` for every member that is
/// a tensor, a module, or a vector, optional or variant of such.
template <class M>
concept Module = requires(const M& module) {
  std::remove_cv_t<M>::visit(module, detail::AnyVisitor{});
};

/// Calls `f(name, tensor)` for every defined tensor of `member`, in the order of `visit`. Names are joined by dots,
/// elements of a vector are numbered: `blocks.0.attention.q.weight`. `member` may be const.
template <class Member, class Function>
void for_each_tensor(Member& member, Function&& f, const std::string& name = "") {
  using Plain = std::remove_cv_t<Member>;
  if constexpr (std::is_same_v<Plain, Tensor>) {
    if (member.defined()) f(name, member);
  } else if constexpr (detail::IsVector<Plain>::value) {
    for (std::size_t i = 0; i < member.size(); ++i) {
      for_each_tensor(member[i], f, name.empty() ? std::to_string(i) : name + "." + std::to_string(i));
    }
  } else if constexpr (detail::IsOptional<Plain>::value) {
    if (member) for_each_tensor(*member, f, name);
  } else if constexpr (detail::IsVariant<Plain>::value) {
    std::visit([&](auto& alternative) { for_each_tensor(alternative, f, name); }, member);
  } else {
    static_assert(Module<Plain>, "visit may name tensors, modules, and vectors, optionals and variants of them");
    Plain::visit(member, [&](const char* part, auto& child) {
      for_each_tensor(child, f, name.empty() ? std::string(part) : name + "." + part);
    });
  }
}

}  // namespace lintel
