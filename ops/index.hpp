// Functions that pick elements by index. Indices are int64.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Row ids[i] of `table` (V, h) for every i, whatever the shape of `ids`: the result has shape ids.shape + (h). In the
/// backward pass the rows of one id are added up in the order of `ids`. Throws `Error` for an id outside [0, V).
Tensor embedding(const Tensor& table, const Tensor& ids);

/// result[…, i, …] = x[…, index[…, i, …], …], the index replacing the position along `axis` (NumPy's take_along_axis).
/// `index` has the shape of x but for the size of `axis`. Throws `Error` for an index outside [0, x.size(axis)).
Tensor gather(const Tensor& x, int axis, const Tensor& index);

/// ids.shape + (classes): 1 at the position that the id names, 0 elsewhere. Throws `Error` for an id outside
/// [0, classes).
Tensor one_hot(const Tensor& ids, std::int64_t classes, DType dtype = DType::float32);

}  // namespace lintel
