#include <lintel/autograd/cotangent.hpp>
#include <lintel/autograd/gradients.hpp>

namespace lintel {

const Tensor& Gradients::operator[](const Tensor& x) const {
  const auto found = by_id_.find(x.id());
  if (found == by_id_.end()) {
    fail("gradients: a tensor of shape ", x.shape(), " was not asked for; the ", size(),
         " that were are those watched or given as wrt");
  }
  return found->second;
}

bool Gradients::contains(const Tensor& x) const { return by_id_.contains(x.id()); }

void Gradients::set(const Tensor& x, Tensor gradient) {
  if (gradient.shape() != x.shape() || gradient.dtype() != x.dtype()) {
    fail("gradients: a gradient of ", gradient.dtype(), " ", gradient.shape(), " for a tensor of ", x.dtype(), " ",
         x.shape());
  }
  if (!by_id_.contains(x.id())) order_.push_back(x.id());
  by_id_[x.id()] = std::move(gradient);
}

Gradients& Gradients::operator+=(const Gradients& other) {
  if (other.size() != size()) fail("gradients: += of ", other.size(), " gradients to ", size(), ", the same wanted");
  for (const std::uint64_t id : order_) {
    const auto found = other.by_id_.find(id);
    if (found == other.by_id_.end()) fail("gradients: += of gradients of other tensors, the same tensors wanted");
    accumulate_cotangent(by_id_[id], found->second);
  }
  return *this;
}

}  // namespace lintel
