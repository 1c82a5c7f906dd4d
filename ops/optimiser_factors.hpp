// The numbers of one step of an optimiser, as its kernel takes them: plain structs.
#pragma once

namespace lintel {

template <class T>
struct SgdFactors {
  T scale;  ///< of the gradient
  T decay, keep, rate;
};

template <class T>
struct AdamWFactors {
  T scale;               ///< of the gradient
  T new1, keep2, new2;   ///< 1 − beta1, beta2, 1 − beta2
  T shrink;              ///< 1 − learning_rate · weight_decay
  T rate;                ///< learning_rate / (1 − beta1ᵗ)
  T inverse_correction;  ///< 1 / √(1 − beta2ᵗ)
  T epsilon;
};

}  // namespace lintel
