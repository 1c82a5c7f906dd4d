// An op of one's own, without touching the library.
#pragma once

#include <lintel/autograd/tape.hpp>

namespace lintel {

/// Records that `output` was computed from `inputs` by an op called `name` (a string that lives for ever), with the
/// given vjp, and returns it. `saved` is what the vjp reads through `Backward::saved`. When the vjp is made of ops, the
/// result can be differentiated any number of times; otherwise give a `definition` in ops.
inline Tensor custom_op(const char* name, std::vector<Tensor> inputs, Tensor output, std::vector<Tensor> saved, Vjp vjp,
                        Definition definition = nullptr) {
  record({.name = name,
          .inputs = std::move(inputs),
          .outputs = {output},
          .saved = std::move(saved),
          .vjp = std::move(vjp),
          .definition = std::move(definition)});
  return output;
}

}  // namespace lintel
