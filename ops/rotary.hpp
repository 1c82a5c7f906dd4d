// Rotary positions: queries and keys turned by angles that grow with their place.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

struct RotaryOptions {
  double base = 10000;
  bool inverse = false;  ///< turn back
};

/// Turns each pair of neighbours in a head, i = 0, 1, …, d/2 − 1, by the angle a = p·base^(−2i/d) of the row's
/// position p:
///   y_2i = x_2i cos a − x_2i+1 sin a,   y_2i+1 = x_2i sin a + x_2i+1 cos a,
/// so that the scalar product of a query and a key depends on the difference of their positions. x (…, H, d), positions
/// int64 with one number for each place of the leading axes → (…, H, d). float32 or float64; angles are computed in
/// float64, and positions may be as large as 2⁴⁰. Saves the positions. Throws `Error` for an odd d, another number of
/// positions, or a base that is not positive and finite. Source: Su et al., "RoFormer", arXiv 2104.09864.
Tensor rotary(const Tensor& x, const Tensor& positions, const RotaryOptions& options = {});

}  // namespace lintel
