#include <lintel/nn/dropout.hpp>

namespace lintel::nn {

Dropout::Dropout(double drop_rate) : rate(drop_rate) {
  if (!(rate >= 0 && rate < 1)) fail("dropout: rate is ", rate, ", at least 0 and below 1 wanted");
}

Tensor Dropout::operator()(const Tensor& x, const std::optional<Training>& training) const {
  return training && rate > 0 ? dropout(x, rate, training->dropout_key()) : x;
}

DropoutMask Dropout::mask(const std::optional<Training>& training) const {
  return training ? DropoutMask{rate, training->dropout_key()} : DropoutMask{};
}

}  // namespace lintel::nn
