#include <lintel/autograd/checkpoint.hpp>

namespace lintel {
namespace checkpoint_detail {

/// The result of a function, hidden from all tapes, and what they must know to record it as one op.
struct HiddenCall {
  Tensor result;
  std::vector<Tensor> reads;
  double flops, recomputed_flops;
};

HiddenCall call_hidden(const std::function<Tensor()>& f) {
  HiddenFromTapes scope;
  const Tensor y = f();
  if (!y.defined()) fail("checkpoint: the function gave an undefined tensor, a result wanted");
  scope.note_read(y);  // a function may do no more than hand on what it found
  return {y, scope.reads(), scope.flops(), scope.flops() + scope.recomputed_flops()};
}

}  // namespace checkpoint_detail

Tensor checkpoint(std::function<Tensor()> f) {
  const auto [inner, reads, flops, recomputed_flops] = checkpoint_detail::call_hidden(f);
  const Tensor y = stop_gradient(inner);
  auto vjp = [f = std::move(f), count = reads.size()](const Backward& b) {
    Tape tape;
    std::vector<Tensor> wrt;
    for (std::size_t i = 0; i < count; ++i) {
      if (!b.wants(i)) continue;
      tape.watch(b.saved(i));
      wrt.push_back(b.saved(i));
    }
    // Nobody keeps the result of this second call, nor its cotangent: each may be as large as all that f reads.
    std::unordered_map<std::uint64_t, Tensor> of_result;
    of_result.emplace(f().id(), b.take_cotangent());
    const Gradients gradients = tape.walk(std::move(of_result), wrt, false);
    std::vector<Tensor> cotangents(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (b.wants(i)) cotangents[i] = gradients[b.saved(i)];
    }
    return cotangents;
  };
  record({.name = "checkpoint",
          .inputs = reads,
          .outputs = {y},
          .saved = reads,
          .vjp = std::move(vjp),
          .flops = flops,
          .recomputed_flops = recomputed_flops});
  return y;
}

}  // namespace lintel
