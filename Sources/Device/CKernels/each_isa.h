// Compiles the second half of a kernel family, the file KN_SELF, once for each instruction set of
// this architecture. There KN_ISA is its name, KN_LANES the floats of its vectors, KN_TARGET what
// every function of it must be declared with, KN_BASE the set whose f32 kernels go with it; lanes.h
// has the vector types and operations.
//
// A family that defines KN_INT8 lives off 8-bit dot products: it is compiled again for the sets that
// have instructions for them (with KN_DOTPROD), and not for avx512 without.
#if defined(__x86_64__)
#define KN_AVX2 "avx2,fma,f16c"
#define KN_AVX512 "avx2,fma,f16c,bmi2,avx512f,avx512bw,avx512vl,avx512dq"

#define KN_ISA avx2
#define KN_BASE avx2
#define KN_LANES 8
#define KN_TARGET __attribute__((target(KN_AVX2)))
#include "lanes.h"
#include KN_SELF
#undef KN_ISA
#undef KN_TARGET
#ifdef KN_INT8
#define KN_ISA avx2_vnni
#define KN_DOTPROD
#define KN_TARGET __attribute__((target(KN_AVX2 ",avxvnni")))
#include "lanes.h"
#include KN_SELF
#undef KN_ISA
#undef KN_DOTPROD
#undef KN_TARGET
#endif
#undef KN_BASE
#undef KN_LANES

#define KN_BASE avx512
#define KN_LANES 16
#ifdef KN_INT8
#define KN_ISA avx512_vnni
#define KN_DOTPROD
#define KN_TARGET __attribute__((target(KN_AVX512 ",avx512vnni")))
#else
#define KN_ISA avx512
#define KN_TARGET __attribute__((target(KN_AVX512)))
#endif
#include "lanes.h"
#include KN_SELF
#undef KN_ISA
#undef KN_BASE
#undef KN_DOTPROD
#undef KN_LANES
#undef KN_TARGET

#elif defined(__aarch64__)
#define KN_BASE neon
#define KN_LANES 4
#define KN_ISA neon
#define KN_TARGET
#include "lanes.h"
#include KN_SELF
#undef KN_ISA
#undef KN_TARGET
#ifdef KN_INT8
#define KN_ISA neon_dotprod
#define KN_DOTPROD
#define KN_TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#include "lanes.h"
#include KN_SELF
#undef KN_ISA
#undef KN_DOTPROD
#undef KN_TARGET
#endif
#undef KN_BASE
#undef KN_LANES
#endif
