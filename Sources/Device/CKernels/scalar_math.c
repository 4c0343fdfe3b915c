#include "scalar_math.h"
#include <math.h>

float kn_expm1(float x) { return expm1f(x); }
float kn_softplus(float x) { return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x)); }
float kn_sin(float x) { return sinf(x); }
float kn_cos(float x) { return cosf(x); }
float kn_tanh(float x) { return tanhf(x); }
float kn_pow(float x, float y) { return powf(x, y); }
float kn_fmod(float x, float y) { return fmodf(x, y); }
float kn_log(float x) { return logf(x); }
float kn_exp(float x) { return expf(x); }
float kn_tan(float x) { return tanf(x); }
float kn_asin(float x) { return asinf(x); }
float kn_acos(float x) { return acosf(x); }
float kn_atan(float x) { return atanf(x); }
float kn_sinh(float x) { return sinhf(x); }
float kn_cosh(float x) { return coshf(x); }
float kn_asinh(float x) { return asinhf(x); }
float kn_acosh(float x) { return acoshf(x); }
float kn_atanh(float x) { return atanhf(x); }
double kn_pow_f64(double x, double y) { return pow(x, y); }
double kn_fmod_f64(double x, double y) { return fmod(x, y); }
