// Native 64-bit arithmetic for CXXRTL.
//
// CXXRTL works in 32-bit chunks with a loop for every operation. Its operators are templates, so
// more constrained overloads of the same names win wherever every width is at most 64 bits, and
// the runtime's headers stay as they were shipped. Results are bit for bit the same.
#pragma once

#include <cxxrtl/cxxrtl.h>

namespace cxxrtl_yosys {

template <size_t... Bits>
concept Native = ((Bits <= 64) && ...);

template <size_t Bits>
CXXRTL_ALWAYS_INLINE uint64_t vd_unsigned(const value<Bits> &a) {
  if constexpr (Bits <= 32) return a.data[0];
  else return a.data[0] | uint64_t(a.data[1]) << 32;
}

template <size_t Bits>
CXXRTL_ALWAYS_INLINE int64_t vd_signed(const value<Bits> &a) {
  if constexpr (Bits <= 32) return int32_t(a.data[0] << (32 - Bits)) >> (32 - Bits);
  else return int64_t(vd_unsigned(a) << (64 - Bits)) >> (64 - Bits);
}

template <size_t Bits>
CXXRTL_ALWAYS_INLINE value<Bits> vd_value(uint64_t a) {
  if constexpr (Bits <= 32) return value<Bits>{uint32_t(a) & value<Bits>::msb_mask};
  else return value<Bits>{uint32_t(a), uint32_t(a >> 32) & value<Bits>::msb_mask};
}

#define VD_BINARY(name, read, expression)                                             \
  template <size_t BitsY, size_t BitsA, size_t BitsB>                                 \
    requires Native<BitsY, BitsA, BitsB>                                              \
  CXXRTL_ALWAYS_INLINE value<BitsY> name(const value<BitsA> &a_, const value<BitsB> &b_) { \
    auto a = read(a_);                                                                \
    auto b = read(b_);                                                                \
    return vd_value<BitsY>(uint64_t(expression));                                     \
  }

// Sums and products are exact modulo 2**64, and so modulo 2**BitsY.
VD_BINARY(add_uu, vd_unsigned, a + b)
VD_BINARY(add_ss, vd_signed, uint64_t(a) + uint64_t(b))
VD_BINARY(sub_uu, vd_unsigned, a - b)
VD_BINARY(sub_ss, vd_signed, uint64_t(a) - uint64_t(b))
VD_BINARY(mul_uu, vd_unsigned, a * b)
VD_BINARY(mul_ss, vd_signed, uint64_t(a) * uint64_t(b))
VD_BINARY(eq_uu, vd_unsigned, a == b)
VD_BINARY(eq_ss, vd_signed, a == b)
VD_BINARY(ne_uu, vd_unsigned, a != b)
VD_BINARY(ne_ss, vd_signed, a != b)
VD_BINARY(lt_uu, vd_unsigned, a < b)
VD_BINARY(lt_ss, vd_signed, a < b)
VD_BINARY(le_uu, vd_unsigned, a <= b)
VD_BINARY(le_ss, vd_signed, a <= b)
VD_BINARY(gt_uu, vd_unsigned, a > b)
VD_BINARY(gt_ss, vd_signed, a > b)
VD_BINARY(ge_uu, vd_unsigned, a >= b)
VD_BINARY(ge_ss, vd_signed, a >= b)
#undef VD_BINARY

// Shifts: the amount is unsigned and may exceed 63. `su` means that `a` is signed.
#define VD_SHIFT(name, expression)                                                    \
  template <size_t BitsY, size_t BitsA, size_t BitsB>                                 \
    requires Native<BitsY, BitsA, BitsB>                                              \
  CXXRTL_ALWAYS_INLINE value<BitsY> name(const value<BitsA> &a, const value<BitsB> &b) { \
    const uint64_t n = vd_unsigned(b);                                                \
    return vd_value<BitsY>(uint64_t(expression));                                     \
  }

VD_SHIFT(shl_uu, n > 63 ? 0 : vd_unsigned(a) << n)
VD_SHIFT(sshl_uu, n > 63 ? 0 : vd_unsigned(a) << n)
VD_SHIFT(shl_su, n > 63 ? 0 : uint64_t(vd_signed(a)) << n)
VD_SHIFT(sshl_su, n > 63 ? 0 : uint64_t(vd_signed(a)) << n)
VD_SHIFT(shr_uu, n > 63 ? 0 : vd_unsigned(a) >> n)
VD_SHIFT(sshr_uu, n > 63 ? 0 : vd_unsigned(a) >> n)
// A logical shift of a signed operand: extended (or cut) to the width of the result first.
VD_SHIFT(shr_su, n > 63 ? 0 : vd_unsigned(vd_value<BitsY>(uint64_t(vd_signed(a)))) >> n)
VD_SHIFT(sshr_su, vd_signed(a) >> (n > 63 ? 63 : n))
#undef VD_SHIFT

#define VD_UNARY(name, read, expression)                                      \
  template <size_t BitsY, size_t BitsA>                                       \
    requires Native<BitsY, BitsA>                                             \
  CXXRTL_ALWAYS_INLINE value<BitsY> name(const value<BitsA> &a_) {            \
    auto a = uint64_t(read(a_));                                              \
    return vd_value<BitsY>(expression);                                       \
  }

VD_UNARY(pos_u, vd_unsigned, a)
VD_UNARY(pos_s, vd_signed, a)
VD_UNARY(neg_u, vd_unsigned, -a)
VD_UNARY(neg_s, vd_signed, -a)
VD_UNARY(not_u, vd_unsigned, ~a)
VD_UNARY(not_s, vd_signed, ~a)
#undef VD_UNARY

}  // namespace cxxrtl_yosys
