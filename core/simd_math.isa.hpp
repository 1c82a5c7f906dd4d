// Elementary functions over `vec`, once per instruction set: no include guard, see simd.hpp.
//
// Every polynomial is a minimax one (Remez exchange in 60-digit arithmetic, on the interval and for the formula that
// its comment names, minimising the relative error of the function), its coefficients rounded to T afterwards; "2^-28"
// is the error it had then, float first. Reductions and identities are classical (Cody and Waite 1980; Tang 1990).
// Every function takes every argument: infinities give the limit, NaN gives NaN, denormal numbers count as what they
// are. No formula needs FMA. tests/core_simd_test.cpp states the errors, in units in the last place, and asserts them.

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::kernels::LINTEL_ISA {

template <class T>
inline constexpr bool is_float = sizeof(T) == 4;

template <class T>
inline constexpr T infinity = static_cast<T>(__builtin_inf());

template <class T>
inline constexpr T not_a_number = static_cast<T>(__builtin_nan(""));

/// The number of the two that belongs to T.
template <class T>
LINTEL_INLINE constexpr T for_type(double of_float, double of_double) {
  return static_cast<T>(is_float<T> ? of_float : of_double);
}

/// c0 + c1·x + c2·x² + …
template <class T>
LINTEL_INLINE vec<T> polynomial(vec<T>, T c0) {
  return vec<T>(c0);
}

template <class T, class... Rest>
LINTEL_INLINE vec<T> polynomial(vec<T> x, T c0, Rest... rest) {
  return fma(x, polynomial(x, rest...), c0);
}

/// `a`, but no further from 0 than `limit`. NaN stays.
template <class T>
LINTEL_INLINE vec<T> at_most(vec<T> a, T limit) {
  return select(a > limit, limit, a);
}

template <class T>
LINTEL_INLINE vec<T> at_least(vec<T> a, T limit) {
  return select(a < limit, limit, a);
}

/// The leading half of the bits of `a`: the product of two such halves is exact.
template <class T>
LINTEL_INLINE vec<T> leading_half(vec<T> a) {
  using Bits = typename simd::ieee<T>::bits;
  constexpr Bits trailing = (Bits{1} << (is_float<T> ? 12 : 27)) - 1;
  return vec<T>::from_bits(a.bits() & vec<T>::all_bits(~trailing));
}

/// a·b − product, exactly, where `product` is a·b rounded.
template <class T>
LINTEL_INLINE vec<T> product_error(vec<T> a, vec<T> b, vec<T> product) {
#if LINTEL_VECTOR_BYTES > 16 || defined(__aarch64__)
  return fma(a, b, -product);
#else
  const vec<T> a1 = leading_half(a), a2 = a - a1, b1 = leading_half(b), b2 = b - b1;
  return ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2;
#endif
}

// ---- Exponentials --------------------------------------------------------------------------------------------------

/// e^x as (1 + fraction)·2^exponent.
template <class T>
struct Exponential {
  vec<T> fraction, exponent;
};

/// ln 2 in two parts, the first so short that its product with an exponent is exact.
template <class T>
inline constexpr T ln2_high = is_float<T> ? T(0.693359375) : T(6.93147180369123816490e-01);
template <class T>
inline constexpr T ln2_low = is_float<T> ? T(-2.12194440054690571e-04) : T(1.90821492927058770002e-10);

/// e^(x + low) for an x of a size that e^x does not overflow by far. `low` is small against x; with it, e^x can be had
/// of an x known to more digits than T has. x + low = n·ln 2 + r, |r| ≤ ln(2)/2, and e^r = 1 + r + r²·q(r): 2^-28,
/// 2^-57.
template <class T>
LINTEL_INLINE Exponential<T> exponential(vec<T> x, vec<T> low) {
  const vec<T> n = round(x * T(1.44269504088896340736));
  const vec<T> high = fnma(n, ln2_high<T>, x);
  const vec<T> correction = fma(n, ln2_low<T>, -low);
  const vec<T> r = high - correction;
  const vec<T> r_low = (high - r) - correction;
  vec<T> q;
  if constexpr (is_float<T>) {
    q = polynomial(r, 4.999999404e-01f, 1.666651666e-01f, 4.166810587e-02f, 8.369134739e-03f, 1.383643248e-03f);
  } else {
    q = polynomial(r, 5.00000000000001110e-01, 1.66666666666664298e-01, 4.16666666665256730e-02,
                   8.33333333347968490e-03, 1.38888889449194320e-03, 1.98412695464415573e-04, 2.48014916627211275e-05,
                   2.75575438764337591e-06, 2.76307926981271163e-07, 2.50156545248611362e-08);
  }
  return {r + fma(r * r, q, r_low), n};
}

/// Keeps x between a number at which |x|·e^x is 0 in T and one at which e^x is infinite; NaN stays.
template <class T>
LINTEL_INLINE vec<T> bound_exponent(vec<T> x) {
  return at_most(at_least(x, for_type<T>(-120, -760)), for_type<T>(89, 710));
}

/// a·2^n in two steps, since 2^n itself may overflow, or be denormal.
template <class T>
LINTEL_INLINE vec<T> scale_by_power(vec<T> a, vec<T> n) {
  const vec<T> half = round(n * 0.5);
  return a * exp2_int(half) * exp2_int(n - half);
}

/// e^(x + low) for a `low` that is small against x.
template <class T>
LINTEL_INLINE vec<T> exp_of_sum(vec<T> x, vec<T> low) {
  const Exponential<T> e = exponential(bound_exponent(x), low);
  return scale_by_power(e.fraction + 1, e.exponent);
}

/// factor·e^(x + low), with a rounding less than the product, and exact to the end where e^x alone is denormal.
template <class T>
LINTEL_INLINE vec<T> times_exp_of_sum(vec<T> factor, vec<T> x, vec<T> low) {
  const Exponential<T> e = exponential(bound_exponent(x), low);
  return scale_by_power(fma(factor, e.fraction, factor), e.exponent);
}

template <class T>
LINTEL_INLINE vec<T> exp(vec<T> x) {
  return exp_of_sum(x, vec<T>::zero());
}

/// e^x − 1 without cancellation near 0, as 2^n·fraction + (2^n − 1).
template <class T>
LINTEL_INLINE vec<T> expm1(vec<T> x) {
  const T saturates = -40;  // e^-40 is nothing beside 1
  const Exponential<T> e = exponential(at_least(bound_exponent(x), saturates), vec<T>::zero());
  const vec<T> half_power = exp2_int(e.exponent - 1);  // 2^n overflows before the result does
  const vec<T> scaled = 2 * fma(half_power, e.fraction, half_power - 0.5);
  return select(e.exponent == 0, e.fraction, scaled);
}

/// factor·e^(−weight·a²) for a weight of 1 or 1/2: a² is cut into an exact square and the rest, since the absolute
/// error of an exponent becomes a relative one.
template <class T>
LINTEL_INLINE vec<T> times_gaussian(vec<T> factor, vec<T> a, T weight) {
  const vec<T> leading = leading_half(a);
  return times_exp_of_sum(factor, -weight * (leading * leading), -weight * ((a - leading) * (a + leading)));
}

// ---- Logarithms ----------------------------------------------------------------------------------------------------

/// A logarithm as the sum of a multiple of ln 2 and of a number in about [−0.35, 0.35].
template <class T>
struct Logarithm {
  vec<T> whole, rest;
};

/// log(1 + f) + correction for 1 + f in [√½, √2) and a small correction. With s = f/(2 + f), log(1 + f) is
/// f − f²/2 + s·(f²/2 + z·L(z)), z = s²: 2^-30, 2^-59.
template <class T>
LINTEL_INLINE vec<T> log_of_sum(vec<T> f, vec<T> correction) {
  const vec<T> s = f / (2 + f);
  const vec<T> z = s * s;
  vec<T> series;
  if constexpr (is_float<T>) {
    series = polynomial(z, 6.666677594e-01f, 3.997758031e-01f, 2.987094223e-01f);
  } else {
    series =
        polynomial(z, 6.66666666666673402e-01, 3.99999999994165467e-01, 2.85714287420648805e-01,
                   2.22221985999212474e-01, 1.81835631807038156e-01, 1.53140749748132354e-01, 1.47957451552512415e-01);
  }
  const vec<T> half_square = 0.5 * f * f;
  return f - (half_square - fma(s, fma(z, series, half_square), correction));
}

/// log(u) + correction for a positive finite u = 2^e·(1 + f) and a small correction.
template <class T>
LINTEL_INLINE Logarithm<T> logarithm(vec<T> u, vec<T> correction) {
  constexpr T smallest_normal = for_type<T>(1.17549435082228751e-38, 2.22507385850720138e-308);
  constexpr int lift = simd::ieee<T>::mantissa_bits;
  const auto denormal = u < smallest_normal;
  vec<T> e;
  const vec<T> f = split_exponent(select(denormal, u * T(std::int64_t{1} << lift), u), e) - 1;
  e -= select(denormal, T(lift), 0);

  return {e * ln2_high<T>, log_of_sum(f, fma(e, ln2_low<T>, correction))};
}

/// −∞ at 0, NaN below.
template <class T>
LINTEL_INLINE vec<T> log(vec<T> x) {
  const Logarithm<T> parts = logarithm(x, vec<T>::zero());
  const vec<T> finite = select(x == 0, -infinity<T>, parts.whole + parts.rest);
  return select(x < 0, not_a_number<T>, select(x < infinity<T>, finite, x));
}

/// log(1 + x) without cancellation near 0: what rounding 1 + x loses comes back as a correction. −∞ at −1, NaN below.
template <class T>
LINTEL_INLINE vec<T> log1p(vec<T> x) {
  const vec<T> u = 1 + x;
  const vec<T> lost = select(x > 1, 1 - (u - x), x - (u - 1));
  const Logarithm<T> parts = logarithm(u, lost / u);
  const vec<T> finite = select(x == -1, -infinity<T>, parts.whole + parts.rest);
  return select(x < -1, not_a_number<T>, select(x < infinity<T>, finite, x));
}

/// log(1 + x) for 0 ≤ x ≤ 1: what `log1p` does for others is left out. In float it is 2·artanh(s) with s = x/(2 + x),
/// and artanh(s) = s + s·z·P(z)/2, z = s²: 2^-27.
template <class T>
LINTEL_INLINE vec<T> log1p_of_fraction(vec<T> x) {
  if constexpr (is_float<T>) {
    const vec<T> s = x / (2 + x);
    const vec<T> z = s * s;
    const vec<T> series = polynomial(z, 6.666641627e-01f, 4.002152785e-01f, 2.800179699e-01f, 2.801202302e-01f);
    return fma(s * z, series, s + s);
  } else {
    const auto above = x > T(0.41421356237309504880);  // 1 + x > √2, and counts as 2·(1 + f)
    const vec<T> f = select(above, 0.5 * x - 0.5, x);
    return select(above, ln2_high<T>, 0) + log_of_sum(f, select(above, ln2_low<T>, 0));
  }
}

// ---- Powers --------------------------------------------------------------------------------------------------------

/// Whether p has no fraction; false for NaN.
template <class T>
LINTEL_INLINE bool is_integer(T p) {
  constexpr T no_fraction = T(std::int64_t{1} << simd::ieee<T>::mantissa_bits);
  if (!(p > -no_fraction && p < no_fraction)) return p == p;
  return static_cast<T>(static_cast<std::int64_t>(p)) == p;
}

/// Whether p is odd; false for what is no integer.
template <class T>
LINTEL_INLINE bool is_odd(T p) {
  constexpr T all_even = T(std::int64_t{2} << simd::ieee<T>::mantissa_bits);
  return p < all_even && p > -all_even && is_integer(p) && (static_cast<std::int64_t>(p) & 1) != 0;
}

/// x^p for a finite p, with C's special cases: e^(p·log|x|), where the logarithm and the product keep more digits than
/// T has. The exponents 0 to 3 multiply. NaN for a finite negative x and a p that is no integer.
template <class T>
LINTEL_INLINE vec<T> pow(vec<T> x, T p) {
  if (p != p) return vec<T>(p);
  if (p == 0) return vec<T>(1);
  if (p == 1) return x;
  if (p == 2) return x * x;
  if (p == 3) return x * x * x;
  const vec<T> magnitude = abs(x), power(p);
  const Logarithm<T> parts = logarithm(magnitude, vec<T>::zero());
  const vec<T> log_high = parts.whole + parts.rest;
  const vec<T> log_low = (parts.whole - log_high) + parts.rest;
  const vec<T> high = power * log_high;
  const vec<T> low = fma(power, log_low, product_error(power, log_high, high));
  const auto in_range = abs(high) < 1000;  // beyond, the result is 0 or infinite, and `low` may be NaN
  vec<T> result = exp_of_sum(high, select(in_range, low, 0));

  result = select(magnitude == 0, p > 0 ? T(0) : infinity<T>, result);
  result = select(magnitude == infinity<T>, p > 0 ? infinity<T> : T(0), result);
  if (is_odd(p)) result = copysign(result, x);
  if (!is_integer(p)) result = select((x < 0) & (magnitude < infinity<T>), not_a_number<T>, result);
  return select(isnan(x), x, result);
}

// ---- Sigmoid and its kin -------------------------------------------------------------------------------------------

/// x + x³·P(x²) for |x| < 0.625: 2^-27, 2^-60. Beyond, 1 − 2/(e^2|x| + 1) with the sign of x.
template <class T>
LINTEL_INLINE vec<T> tanh(vec<T> x) {
  const vec<T> z = x * x;
  vec<T> series;
  if constexpr (is_float<T>) {
    series = polynomial(z, -3.333328068e-01f, 1.333140582e-01f, -5.373651534e-02f, 2.062816173e-02f, -5.692285486e-03f);
  } else {
    series = polynomial(z, -3.33333333333333148e-01, 1.33333333333299470e-01, -5.39682539661380661e-02,
                        2.18694884703281300e-02, -8.86323433226427447e-03, 3.59211415376945722e-03,
                        -1.45572674432178657e-03, 5.89454550418719173e-04, -2.37017991707534327e-04,
                        9.15673832411334211e-05, -3.01945143640072781e-05, 6.04501363743815993e-06);
  }
  const vec<T> magnitude = abs(x);
  const vec<T> large = 1 - 2 / (exp(2 * magnitude) + 1);
  return select(magnitude < 0.625, fma(x * z, series, x), copysign(large, x));
}

/// factor·σ(z), given e^−|z|: t = factor/(1 + e^−|z|), times e^−|z| where z is negative. Neither overflows.
template <class T>
LINTEL_INLINE vec<T> times_sigmoid(vec<T> factor, Exponential<T> e, typename vec<T>::mask negative) {
  const vec<T> t = factor / (1 + scale_by_power(e.fraction + 1, e.exponent));
  return select(negative, scale_by_power(fma(t, e.fraction, t), e.exponent), t);
}

/// e^−|x| as (1 + fraction)·scale; the scale is 0 where e^−|x| would be denormal.
template <class T>
struct Decay {
  vec<T> fraction, scale;

  vec<T> value() const { return fma(fraction, scale, scale); }
};

template <class T>
LINTEL_INLINE Decay<T> decay(vec<T> x) {
  const Exponential<T> e = exponential(at_least(-abs(x), for_type<T>(-88, -709)), vec<T>::zero());
  return {e.fraction, exp2_int(e.exponent)};
}

/// 1/(1 + e^−x), for a negative x times e^x; 0 where that is denormal. There what the sum 1 + e^−|x| lost by rounding
/// is made up for, or the errors of four roundings could meet.
template <class T>
LINTEL_INLINE vec<T> sigmoid(vec<T> x) {
  const Decay<T> e = decay(x);
  const vec<T> power = e.value(), sum = 1 + power;
  const vec<T> inverse = 1 / sum, lost = power - (sum - 1);
  const vec<T> fraction = fnma(inverse * lost, e.fraction + 1, e.fraction);
  return select(x < 0, e.scale * fma(inverse, fraction, inverse), inverse);
}

/// x·σ(z), where z has the sign of x. x is bounded where that is 0, so that −∞ gives 0.
template <class T>
LINTEL_INLINE vec<T> gate(vec<T> x, Exponential<T> e) {
  return times_sigmoid(at_least(x, for_type<T>(-120, -760)), e, x < 0);
}

/// x·σ(x) (Hendrycks and Gimpel 2016, arXiv 1606.08415; Elfwing et al. 2017, arXiv 1702.03118).
template <class T>
LINTEL_INLINE vec<T> silu(vec<T> x) {
  return gate(x, exponential(bound_exponent(-abs(x)), vec<T>::zero()));
}

/// log(1 + e^x) as max(x, 0) + log(1 + e^−|x|): finite for every finite x; 0 where that is denormal.
template <class T>
LINTEL_INLINE vec<T> softplus(vec<T> x) {
  return select(x < 0, 0, x) + log1p_of_fraction(decay(x).value());
}

// ---- The normal distribution ---------------------------------------------------------------------------------------

/// P(X > b)·e^(b²/2) for a standard normal X is H(t)/(b + k), where t = (b − k)/(b + k) and k is this.
template <class T>
inline constexpr T tail_center = is_float<T> ? T(4.703125) : T(6.1875);

/// H for 0 ≤ b ≤ 14 or 38, beyond which e^(−b²/2) is 0 in T: 2^-28, 2^-55. With these k the first coefficients lose
/// little by rounding.
template <class T>
LINTEL_INLINE vec<T> tail_series(vec<T> t) {
  if constexpr (is_float<T>) {
    return polynomial(t, 7.658523321e-01f, -6.512140036e-01f, 4.674490392e-01f, -2.784910202e-01f, 1.330858320e-01f,
                      -4.732477665e-02f, 9.927304462e-03f, 5.153095699e-04f, -1.161866589e-03f, 2.297616011e-04f,
                      1.251341018e-04f);
  } else {
    return polynomial(
        t, 7.78495580084607064e-01, -7.06124732568905067e-01, 5.79984159861154702e-01, -4.29871569734748216e-01,
        2.85832373697433140e-01, -1.68953129618133913e-01, 8.75151098811182693e-02, -3.87974944266919475e-02,
        1.40946484407817683e-02, -3.79892040691913718e-03, 5.13652040011997046e-04, 1.26336904640192242e-04,
        -9.38687081581351219e-05, 1.85685488832241357e-05, 4.27911414162762577e-06, -3.22263521193562857e-06,
        2.88932834988829641e-07, 3.30826161897078991e-07, -9.57359526409472924e-08, -2.93052799909816799e-08,
        1.31905062667569349e-08, 2.64941491598608194e-09, -5.65269006500200367e-10);
  }
}

/// P(X > b)·e^(b²/2).
template <class T>
LINTEL_INLINE vec<T> scaled_tail(vec<T> b) {
  const vec<T> reciprocal = 1 / (b + tail_center<T>);
  return tail_series((b - tail_center<T>)*reciprocal) * reciprocal;
}

/// |x|, bounded where the normal distribution's tail is 0 in T.
template <class T>
LINTEL_INLINE vec<T> tail_argument(vec<T> x) {
  return at_most(abs(x), for_type<T>(15, 40));
}

/// x + x·E(x²) for |x| < 1: 2^-29, 2^-56. Beyond, 1 − 2·P(X > √2·|x|) with the sign of x.
template <class T>
LINTEL_INLINE vec<T> erf(vec<T> x) {
  const vec<T> z = x * x;
  vec<T> series;
  if constexpr (is_float<T>) {
    series = polynomial(z, 1.283791657e-01f, -3.761262582e-01f, 1.128358514e-01f, -2.685381182e-02f, 5.188327621e-03f,
                        -8.010194131e-04f, 7.853865931e-05f);
  } else {
    series = polynomial(z, 1.28379167095512566e-01, -3.76126389031835196e-01, 1.12837916709441872e-01,
                        -2.68661706431118090e-02, 5.22397760612108378e-03, -8.54832592943635229e-04,
                        1.20552935805359090e-04, -1.49247123724630386e-05, 1.64471324522644027e-06,
                        -1.62063206036970567e-07, 1.37110104198004534e-08, -7.77952523213064599e-10);
  }
  const vec<T> magnitude = abs(x);
  const vec<T> bounded = at_most(magnitude, T(6));  // erf(6) is 1 in double
  const vec<T> beyond = times_gaussian(scaled_tail(bounded * T(1.41421356237309504880)), bounded, T(1));
  return select(magnitude < 1, fma(x, series, x), copysign(1 - 2 * beyond, x));
}

/// b/(b + k), rounded but once: what the sum and the product lost is made up for.
template <class T>
LINTEL_INLINE vec<T> tail_quotient(vec<T> b) {
  const vec<T> sum = b + tail_center<T>, reciprocal = 1 / sum, quotient = b * reciprocal;
  const vec<T> lost = b - (sum - tail_center<T>);
  return fma(fnma(lost, quotient, fnma(sum, quotient, b)), reciprocal, quotient);
}

/// The erf form of GELU, x·P(X ≤ x) (Hendrycks and Gimpel 2016), as max(x, 0) − b·P(X > b), b = |x|: nothing cancels in
/// the left tail. With q = b/(b + k), t is 2q − 1.
template <class T>
LINTEL_INLINE vec<T> gelu(vec<T> x) {
  const vec<T> b = tail_argument(x);
  const vec<T> q = tail_quotient(b);
  return select(x < 0, 0, x) - times_gaussian(tail_series(2 * q - 1) * q, b, T(0.5));
}

/// Beyond this magnitude gelu_tanh(x) is x or 0 in T, while x³ does not overflow yet.
template <class T>
inline constexpr T gelu_tanh_saturates = 30;
inline constexpr double gelu_tanh_linear = 1.59576912160573071176;    // 2·√(2/π)
inline constexpr double gelu_tanh_cubic = 0.07135481627260024877634;  // 0.044715 times that

/// The tanh form of GELU is x·σ(z) with z = 2·√(2/π)·(x + 0.044715·x³) = x·(A + B·x²). This is e^−|z| for a bounded
/// magnitude of x. |z| is carried to twice the digits of T, since its absolute error becomes a relative one.
template <class T>
LINTEL_INLINE Exponential<T> gelu_tanh_exponential(vec<T> magnitude) {
  constexpr double linear_rest = -9.969308809110920e-17, cubic_rest = -6.175149918155316e-19;  // what a double loses
  constexpr T a = static_cast<T>(gelu_tanh_linear), b = static_cast<T>(gelu_tanh_cubic);
  constexpr T a_low = static_cast<T>((gelu_tanh_linear - static_cast<double>(a)) + linear_rest);
  constexpr T b_low = static_cast<T>((gelu_tanh_cubic - static_cast<double>(b)) + cubic_rest);

  const vec<T> square = magnitude * magnitude;
  const vec<T> square_low = product_error(magnitude, magnitude, square);
  const vec<T> cubic = b * square;
  const vec<T> cubic_low = product_error(vec<T>(b), square, cubic);
  const vec<T> factor = a + cubic;
  const vec<T> cubic_seen = factor - a;
  const vec<T> sum_low = (a - (factor - cubic_seen)) + (cubic - cubic_seen);
  const vec<T> factor_low = sum_low + (cubic_low + fma(b, square_low, fma(b_low, square, a_low)));
  const vec<T> z = magnitude * factor;
  return exponential(bound_exponent(-z), -fma(magnitude, factor_low, product_error(magnitude, factor, z)));
}

/// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
template <class T>
LINTEL_INLINE vec<T> gelu_tanh(vec<T> x) {
  return gate(x, gelu_tanh_exponential(at_most(abs(x), gelu_tanh_saturates<T>)));
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
