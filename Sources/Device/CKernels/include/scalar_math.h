// Single-number functions of libm for operators that are never hot enough for a vector variant.
#pragma once
float kn_expm1(float x);
float kn_softplus(float x);  // log(1 + e^x) without overflow
float kn_sin(float x);
float kn_tan(float x);
float kn_asin(float x);
float kn_acos(float x);
float kn_atan(float x);
float kn_sinh(float x);
float kn_cosh(float x);
float kn_asinh(float x);
float kn_acosh(float x);
float kn_atanh(float x);
float kn_cos(float x);
float kn_tanh(float x);
float kn_pow(float x, float y);
float kn_fmod(float x, float y);
float kn_log(float x);
float kn_exp(float x);
double kn_pow_f64(double x, double y);
double kn_fmod_f64(double x, double y);
