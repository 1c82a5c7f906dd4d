// Functions applied to every element.
//
// They take float32 and float64. Two tensors must have one type (there is no promotion: cast with `to`) and shapes that
// broadcast by NumPy's rule: aligned at the last axis, a size of 1 stretches. A number beside a tensor takes its type.
// NaN and infinity pass as in IEEE arithmetic. At their kinks the derivatives are 0 for abs and relu, alpha for elu,
// and equal arguments of `maximum` and `minimum` get one half each. Every function throws `Error` for another type, an
// undefined tensor, or shapes that do not broadcast.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// −x.
Tensor neg(const Tensor& x);
/// |x|.
Tensor abs(const Tensor& x);
/// eˣ.
Tensor exp(const Tensor& x);
/// eˣ − 1, exact for small x.
Tensor expm1(const Tensor& x);
/// The natural logarithm: −infinity at 0, NaN below.
Tensor log(const Tensor& x);
/// log(1 + x), exact for small x.
Tensor log1p(const Tensor& x);
/// √x, NaN below 0.
Tensor sqrt(const Tensor& x);
/// 1/√x.
Tensor rsqrt(const Tensor& x);
/// x².
Tensor square(const Tensor& x);
/// x to the power of `exponent`; NaN for a negative x unless `exponent` is an integer.
Tensor pow(const Tensor& x, double exponent);
/// The hyperbolic tangent.
Tensor tanh(const Tensor& x);
/// The error function, 2/√π·∫₀ˣ e^(−t²) dt.
Tensor erf(const Tensor& x);
/// σ(x) = 1/(1 + e⁻ˣ); 0 where that would be denormal.
Tensor sigmoid(const Tensor& x);
/// log(1 + eˣ), finite for every finite x; 0 where that would be denormal.
Tensor softplus(const Tensor& x);
/// max(x, 0).
Tensor relu(const Tensor& x);

/// How to compute the normal distribution's Φ in gelu: from erf, or by its approximation from tanh.
enum class GeluForm { erf, tanh };

/// x·Φ(x), Φ(x) = (1 + erf(x/√2))/2, or about (1 + tanh(√(2/π)·(x + 0.044715·x³)))/2.
/// Source: Hendrycks, Gimpel, "Gaussian error linear units", arXiv 1606.08415.
Tensor gelu(const Tensor& x, GeluForm form = GeluForm::erf);
/// x·σ(x).
Tensor silu(const Tensor& x);
/// x above 0, alpha·(eˣ − 1) below.
Tensor elu(const Tensor& x, double alpha = 1);

/// a + b.
Tensor add(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, double b);
Tensor add(double a, const Tensor& b);
/// a − b.
Tensor sub(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, double b);
Tensor sub(double a, const Tensor& b);
/// a·b, element by element.
Tensor mul(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, double b);
Tensor mul(double a, const Tensor& b);
/// a/b, element by element.
Tensor div(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, double b);
Tensor div(double a, const Tensor& b);
/// The larger of a and b, NaN when either is.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, double b);
Tensor maximum(double a, const Tensor& b);
/// The smaller of a and b, NaN when either is.
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, double b);
Tensor minimum(double a, const Tensor& b);

inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, b); }
inline Tensor operator-(double a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator/(double a, const Tensor& b) { return div(a, b); }

/// a where `mask` (bool) is true, b elsewhere; all three broadcast.
Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b);

/// The elements converted to `dtype`, always a copy: rounded to nearest, floats to int64 truncated, to bool as "not 0".
/// Differentiable between floating types; the cotangent comes back in the type of x.
Tensor to(const Tensor& x, DType dtype);

}  // namespace lintel
