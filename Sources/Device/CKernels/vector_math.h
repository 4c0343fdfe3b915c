// exp, log, tanh, erf and what is made of them, by lanes. Included once per instruction set, after
// lanes.h. Polynomials are minimax fits with coefficients rounded to f32 one after the other.
//
// Relative error, measured over one in 16 of all floats: exp and log below 9e-8, tanh, sigmoid and erf
// below 1.6e-7; gelu absolute below 5e-7. NaN stays NaN; 0, ±infinity and overflow give what libm
// gives. sigmoid is 0 below -88.7, where the true value is no normal float.
#ifndef KN_VECTOR_MATH_NAMES
#define KN_VECTOR_MATH_NAMES
#define v_exp KN_NAME(v_exp)
#define v_log KN_NAME(v_log)
#define v_tanh KN_NAME(v_tanh)
#define v_erf KN_NAME(v_erf)
#define v_sigmoid KN_NAME(v_sigmoid)
#define v_gelu KN_NAME(v_gelu)
#define v_gelu_tanh KN_NAME(v_gelu_tanh)
#define v_clip KN_NAME(v_clip)
#endif

// NaN stays NaN.
KN_LANE_FN vf v_clip(vf x, vf low, vf high) {
  x = v_select(x < low, low, x);
  return v_select(x > high, high, x);
}

// e^x = 2^n e^r with |r| <= ln 2 / 2.
KN_LANE_FN vf v_exp(vf x) {
  const vf magic = v_splat(0x1.8p23f);  // adding it rounds to an integer and leaves it in the low bits
  x = v_clip(x, v_splat(-104), v_splat(89));
  const vf shifted = v_fma(x, v_splat(0x1.715476p0f), magic);
  const vf n = shifted - magic;
  vf r = v_fma(n, v_splat(-0x1.62e4p-1f), x);  // ln 2 in two parts, the first one short enough
  r = v_fma(n, v_splat(-0x1.7f7d1cp-20f), r);
  vf p = v_splat(1.381949056e-03f);
  p = v_fma(p, r, v_splat(8.368690498e-03f));
  p = v_fma(p, r, v_splat(4.166828096e-02f));
  p = v_fma(p, r, v_splat(1.666652113e-01f));
  p = v_fma(p, r, v_splat(4.999999404e-01f));
  p = v_fma(p * r, r, r) + 1.0f;
  // 2^n does not always exist, the square of its halves does: n = -150 … 128.
  const vi exponent = (vi)((vu)shifted - (vu)magic);
  const vi half = exponent >> 1;
  return p * (vf)((half + 127) << 23) * (vf)((exponent - half + 127) << 23);
}

// log x = e ln 2 + log(1 + f) with 1 + f in [sqrt 1/2, sqrt 2).
KN_LANE_FN vf v_log(vf x) {
  const vi small = x < 0x1p-126f;  // denormals (and what is no logarithm)
  const vf y = v_select(small, x * 0x1p23f, x);
  const vi bits = (vi)((vu)y - 0x3f3504f3u);  // sqrt 1/2
  const vi exponent = (bits >> 23) - (small & 23);
  const vf f = (vf)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
  const vf e = __builtin_convertvector(exponent, vf);
  vf p = v_splat(-7.636435330e-02f);
  p = v_fma(p, f, v_splat(1.276221573e-01f));
  p = v_fma(p, f, v_splat(-1.315961033e-01f));
  p = v_fma(p, f, v_splat(1.420157999e-01f));
  p = v_fma(p, f, v_splat(-1.662340909e-01f));
  p = v_fma(p, f, v_splat(2.000124156e-01f));
  p = v_fma(p, f, v_splat(-2.500081956e-01f));
  p = v_fma(p, f, v_splat(3.333333135e-01f));
  vf low = v_fma(e, v_splat(0x1.7f7d1cp-20f), p * f * f * f);
  low = v_fma(v_splat(-0.5f) * f, f, low);
  vf result = v_fma(e, v_splat(0x1.62e4p-1f), f + low);
  result = v_select(x == 0.0f, v_splat(-__builtin_inff()), result);
  result = v_select(x == __builtin_inff(), x, result);
  return v_select(x >= 0.0f, result, v_splat(__builtin_nanf("")));
}

KN_LANE_FN vf v_sigmoid(vf x) { return 1.0f / (1.0f + v_exp(-x)); }

// An odd polynomial near 0, 1 - 2 / (e^2|x| + 1) elsewhere.
KN_LANE_FN vf v_tanh(vf x) {
  const vf a = v_abs(x), t = x * x;
  vf p = v_splat(-5.514808930e-03f);
  p = v_fma(p, t, v_splat(2.046907879e-02f));
  p = v_fma(p, t, v_splat(-5.368791521e-02f));
  p = v_fma(p, t, v_splat(1.333082914e-01f));
  p = v_fma(p, t, v_splat(-3.333325982e-01f));
  const vf near = v_fma(p * t, x, x);
  const vf far = 1.0f - 2.0f / (v_exp(a + a) + 1.0f);
  const vi sign = (vi)x & (vi)v_splat(-0.0f);
  return v_select(a < 0.625f, near, (vf)((vi)far | sign));
}

// x (1 + P(x²)) up to 1, 1 - D(|x|)^-8 from there; f32 knows only ±1 past 3.92.
KN_LANE_FN vf v_erf(vf x) {
  const vf a = v_abs(x), t = x * x;
  vf p = v_splat(7.806903886e-05f), d = v_splat(1.856712479e-04f);
  p = v_fma(p, t, v_splat(-7.997853099e-04f));
  d = v_fma(d, a, v_splat(-2.004241804e-03f));
  p = v_fma(p, t, v_splat(5.187162198e-03f));
  d = v_fma(d, a, v_splat(1.098510157e-02f));
  p = v_fma(p, t, v_splat(-2.685334720e-02f));
  d = v_fma(d, a, v_splat(-3.163344041e-02f));
  p = v_fma(p, t, v_splat(1.128357872e-01f));
  d = v_fma(d, a, v_splat(6.673079729e-02f));
  p = v_fma(p, t, v_splat(-3.761262596e-01f));
  d = v_fma(d, a, v_splat(-5.286484584e-02f));
  p = v_fma(p, t, v_splat(1.283791661e-01f));
  d = v_fma(d, a, v_splat(1.480471641e-01f));
  d = v_fma(d, a, v_splat(1.160509586e-01f));
  d = v_fma(d, a, v_splat(1.004614949e+00f));
  d *= d;
  d *= d;
  d *= d;  // overflows to infinity, whose inverse is the 0 that is wanted
  const vf far = (vf)((vi)(1.0f - 1.0f / d) | ((vi)x & (vi)v_splat(-0.0f)));
  return v_select(a < 1.0f, v_fma(p, x, x), far);
}

KN_LANE_FN vf v_gelu(vf x) { return 0.5f * x * (1.0f + v_erf(x * 0x1.6a09e6p-1f)); }

// x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/π) (x + 0.044715 x³).
KN_LANE_FN vf v_gelu_tanh(vf x) {
  return x * v_sigmoid(1.5957691216f * v_fma(x * x * x, v_splat(0.044715f), x));
}
