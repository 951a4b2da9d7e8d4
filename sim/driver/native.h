// Native 64-bit arithmetic for CXXRTL.
//
// CXXRTL works in 32-bit chunks with a loop for every operation. Its operators are templates, so
// more constrained overloads of the same names win wherever every width is at most 64 bits, and
// the runtime's headers stay as they were shipped. Results are bit for bit the same; the code runs
// twice as fast and compiles in half the time, since there is less to inline.
#pragma once

#include <bit>

#include <cxxrtl/cxxrtl.h>

namespace cxxrtl {

template <size_t... Bits>
concept Native = ((Bits <= 64) && ...);

// The first 64 bits behind `from`, in one access.
CXXRTL_ALWAYS_INLINE uint64_t vd_load(const uint32_t *from) {
  uint64_t result;
  __builtin_memcpy(&result, from, sizeof result);
  return result;
}

template <size_t Bits>
CXXRTL_ALWAYS_INLINE uint64_t vd_unsigned(const value<Bits> &a) {
  if constexpr (Bits <= 32) return a.data[0];
  else return vd_load(a.data);
}

template <size_t Bits>
CXXRTL_ALWAYS_INLINE int64_t vd_signed(const value<Bits> &a) {
  if constexpr (Bits == 8) return int8_t(a.data[0]);  // which compilers see through in a loop
  else if constexpr (Bits == 16) return int16_t(a.data[0]);
  else if constexpr (Bits <= 32) return int32_t(a.data[0] << (32 - Bits)) >> (32 - Bits);
  else return int64_t(vd_unsigned(a) << (64 - Bits)) >> (64 - Bits);
}

template <size_t Bits>
CXXRTL_ALWAYS_INLINE value<Bits> vd_value(uint64_t a) {
  if constexpr (Bits <= 32) return value<Bits>{uint32_t(a) & value<Bits>::msb_mask};
  else {
    value<Bits> result;
    const uint64_t masked = a & (~uint64_t(0) >> (64 - Bits));
    __builtin_memcpy(result.data, &masked, sizeof masked);
    return result;
  }
}

// What has no bit beyond its width set, and so needs no mask.
template <size_t Bits>
CXXRTL_ALWAYS_INLINE value<Bits> vd_exact(uint64_t a) {
  if constexpr (Bits <= 32) return value<Bits>{uint32_t(a)};
  else {
    value<Bits> result;
    __builtin_memcpy(result.data, &a, sizeof a);
    return result;
  }
}

// The same for up to 128 bits.
using vd_wide = unsigned __int128;
template <size_t Bits>
CXXRTL_ALWAYS_INLINE value<Bits> vd_value_wide(vd_wide a) {
  static_assert(Bits > 64 && Bits <= 128);
  value<Bits> result;
  __builtin_memcpy(result.data, &a, sizeof result.data);
  result.data[value<Bits>::chunks - 1] &= value<Bits>::msb_mask;
  return result;
}

// Bits Start to Start + Bits - 1 of a value of any width.
template <size_t Bits, size_t Start, size_t Wide>
CXXRTL_ALWAYS_INLINE value<Bits> vd_slice(const value<Wide> &a) {
  constexpr size_t first = Start / 32, shift = Start % 32;
  if constexpr (Native<Bits>) {
    uint64_t low;
    if constexpr (shift + Bits > 32) low = vd_load(a.data + first);
    else low = a.data[first];
    low >>= shift;
    if constexpr (shift + Bits > 64) low |= uint64_t(a.data[first + 2]) << (64 - shift);
    if constexpr (Start + Bits == Wide) return vd_exact<Bits>(low);
    else return vd_value<Bits>(low);
  } else {
    value<Bits> result;
    for (size_t n = 0; n < value<Bits>::chunks; n++) {
      uint64_t pair = a.data[first + n];
      if (shift != 0 && first + n + 1 < value<Wide>::chunks)
        pair |= uint64_t(a.data[first + n + 1]) << 32;
      result.data[n] = uint32_t(pair >> shift);
    }
    result.data[value<Bits>::chunks - 1] &= value<Bits>::msb_mask;
    return result;
  }
}

// Overwrites bits from Start on; CXXRTL would copy the whole of `to` for each of its parts.
template <size_t Start, size_t Wide, size_t Bits>
CXXRTL_ALWAYS_INLINE void vd_put(value<Wide> &to, const value<Bits> &from) {
  constexpr size_t first = Start / 32, shift = Start % 32;
  for (size_t n = 0; n < value<Bits>::chunks; n++) {
    const uint64_t part = uint64_t(from.data[n]) << shift;
    const uint64_t mask =
        uint64_t(n + 1 == value<Bits>::chunks ? value<Bits>::msb_mask : ~0u) << shift;
    to.data[first + n] = uint32_t((to.data[first + n] & ~mask) | part);
    if (first + n + 1 < value<Wide>::chunks)
      to.data[first + n + 1] =
          uint32_t((to.data[first + n + 1] & ~(mask >> 32)) | part >> 32);
  }
}

template <size_t Bits>
CXXRTL_ALWAYS_INLINE bool vd_differ(const value<Bits> &a, const value<Bits> &b) {
  if constexpr (Native<Bits>) return vd_unsigned(a) != vd_unsigned(b);
  else return __builtin_memcmp(a.data, b.data, sizeof a.data) != 0;
}

// A register with one copy, as an element of an array, in the smallest type that holds it.
template <size_t Bits>
struct vd_element {
  std::conditional_t<(Bits <= 8), uint8_t, std::conditional_t<(Bits <= 16), uint16_t,
      std::conditional_t<(Bits <= 32), uint32_t, uint64_t>>> data;

  CXXRTL_ALWAYS_INLINE value<Bits> operator()() const { return vd_exact<Bits>(data); }
  CXXRTL_ALWAYS_INLINE void operator=(const value<Bits> &a) { data = vd_unsigned(a); }
  void operator=(const wire<Bits> &a) { *this = a.curr; }
};

// Elements of an array as they are now.
template <size_t Count, size_t Bits>
CXXRTL_ALWAYS_INLINE std::array<vd_element<Bits>, Count> vd_lanes(const vd_element<Bits> *from) {
  std::array<vd_element<Bits>, Count> lanes;
  __builtin_memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

template <class Element, size_t Count>
CXXRTL_ALWAYS_INLINE bool vd_differ(const std::array<Element, Count> &a,
                                    const std::array<Element, Count> &b) {
  return __builtin_memcmp(&a, &b, sizeof a) != 0;
}

// A memory write that need not wait for commit(): everything that reads the memory is through.
template <size_t Bits>
CXXRTL_ALWAYS_INLINE void vd_write(memory<Bits> &to, size_t index, const value<Bits> &from,
                                   const value<Bits> &mask) {
  to.data[index] = to.data[index].update(from, mask);
}

// The constraints hold for all: they only make these win over the templates of the runtime.
template <class T, size_t Stop, size_t Start>
  requires(Stop >= Start)
struct slice_expr<T, Stop, Start> : public expr_base<slice_expr<T, Stop, Start>> {
  static_assert(Stop < T::bits);
  static constexpr size_t bits = Stop - Start + 1;
  using whole = value<T::bits>;

  T &expr;

  slice_expr(T &expr) : expr(expr) {}
  slice_expr(const slice_expr<T, Stop, Start> &) = delete;

  CXXRTL_ALWAYS_INLINE operator value<bits>() const {
    return vd_slice<bits, Start>(static_cast<const whole &>(expr));
  }

  CXXRTL_ALWAYS_INLINE slice_expr &operator=(const value<bits> &rhs) {
    if constexpr (std::is_same_v<T, whole>) {
      vd_put<Start>(expr, rhs);
    } else {
      whole copy = static_cast<const whole &>(expr);
      vd_put<Start>(copy, rhs);
      expr = copy;
    }
    return *this;
  }

  CXXRTL_ALWAYS_INLINE value<bits> val() const { return *this; }

  // A repeated bit, without the branch that CXXRTL has there: signs are hard to predict.
  template <size_t Count>
  CXXRTL_ALWAYS_INLINE value<Count> repeat() const {
    const uint32_t ones = -val().data[0];
    value<Count> result;
    for (uint32_t &chunk : result.data) chunk = ones;
    result.data[value<Count>::chunks - 1] &= value<Count>::msb_mask;
    return result;
  }
};

// Concatenations join and take apart each part once, where CXXRTL shifts all that came before.
template <size_t Start, size_t Wide, class T>
CXXRTL_ALWAYS_INLINE void vd_join(value<Wide> &to, const T &part) {
  vd_put<Start>(to, static_cast<const value<T::bits> &>(part));
}

template <size_t Start, size_t Wide, class T, class U>
CXXRTL_ALWAYS_INLINE void vd_join(value<Wide> &to, const concat_expr<T, U> &parts) {
  vd_join<Start>(to, parts.ls_expr);
  vd_join<Start + U::bits>(to, parts.ms_expr);
}

template <size_t Start, size_t Wide, class T>
CXXRTL_ALWAYS_INLINE void vd_split(const value<Wide> &from, T &part) {
  part = vd_slice<T::bits, Start>(from);
}

template <size_t Start, size_t Wide, class T, class U>
CXXRTL_ALWAYS_INLINE void vd_split(const value<Wide> &from, concat_expr<T, U> &parts) {
  vd_split<Start>(from, parts.ls_expr);
  vd_split<Start + U::bits>(from, parts.ms_expr);
}

template <class T, class U>
  requires(T::bits > 0 && U::bits > 0)
struct concat_expr<T, U> : public expr_base<concat_expr<T, U>> {
  static constexpr size_t bits = T::bits + U::bits;

  T &ms_expr;
  U &ls_expr;

  concat_expr(T &ms_expr, U &ls_expr) : ms_expr(ms_expr), ls_expr(ls_expr) {}
  concat_expr(const concat_expr<T, U> &) = delete;

  CXXRTL_ALWAYS_INLINE operator value<bits>() const {
    if constexpr (Native<bits>) {
      return vd_exact<bits>(vd_unsigned(static_cast<const value<T::bits> &>(ms_expr)) << U::bits |
                            vd_unsigned(static_cast<const value<U::bits> &>(ls_expr)));
    } else {
      value<bits> result;
      vd_join<0>(result, *this);
      return result;
    }
  }

  CXXRTL_ALWAYS_INLINE concat_expr &operator=(const value<bits> &rhs) {
    vd_split<0>(rhs, *this);
    return *this;
  }

  CXXRTL_ALWAYS_INLINE value<bits> val() const { return *this; }
};

}  // namespace cxxrtl

namespace cxxrtl_yosys {

using namespace cxxrtl;

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
VD_BINARY(and_uu, vd_unsigned, a & b)
VD_BINARY(and_ss, vd_signed, a & b)
VD_BINARY(or_uu, vd_unsigned, a | b)
VD_BINARY(or_ss, vd_signed, a | b)
VD_BINARY(xor_uu, vd_unsigned, a ^ b)
VD_BINARY(xor_ss, vd_signed, a ^ b)
VD_BINARY(logic_and, vd_unsigned, a && b)
VD_BINARY(logic_or, vd_unsigned, a || b)
#undef VD_BINARY

// Shifts: the amount is unsigned and may exceed 63. `su` means that `a` is signed.
#define VD_SHIFT(name, expression)                                                    \
  template <size_t BitsY, size_t BitsA, size_t BitsB>                                 \
    requires Native<BitsY, BitsA, BitsB>                                              \
  CXXRTL_ALWAYS_INLINE value<BitsY> name(const value<BitsA> &a, const value<BitsB> &b) { \
    const uint64_t n = vd_unsigned(b);                                                \
    const bool far = BitsB > 6 && n > 63;                                             \
    return vd_value<BitsY>(uint64_t(expression));                                     \
  }

VD_SHIFT(shl_uu, far ? 0 : vd_unsigned(a) << n)
VD_SHIFT(sshl_uu, far ? 0 : vd_unsigned(a) << n)
VD_SHIFT(shl_su, far ? 0 : uint64_t(vd_signed(a)) << n)
VD_SHIFT(sshl_su, far ? 0 : uint64_t(vd_signed(a)) << n)
VD_SHIFT(shr_uu, far ? 0 : vd_unsigned(a) >> n)
VD_SHIFT(sshr_uu, far ? 0 : vd_unsigned(a) >> n)
// A logical shift of a signed operand: extended (or cut) to the width of the result first.
VD_SHIFT(shr_su, far ? 0 : vd_unsigned(vd_value<BitsY>(uint64_t(vd_signed(a)))) >> n)
VD_SHIFT(sshr_su, vd_signed(a) >> (far ? 63 : n))
#undef VD_SHIFT

// A mask of ones for the bits that a shift drops comes in more bits than the number itself.
template <size_t BitsY, size_t BitsA, size_t BitsB>
  requires(BitsY > 64 && BitsY <= 128 && Native<BitsA, BitsB>)
CXXRTL_ALWAYS_INLINE value<BitsY> shl_su(const value<BitsA> &a, const value<BitsB> &b) {
  const uint64_t n = vd_unsigned(b);
  return vd_value_wide<BitsY>(BitsB > 7 && n > 127 ? 0 : vd_wide(vd_signed(a)) << n);
}

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
VD_UNARY(logic_not, vd_unsigned, !a)
VD_UNARY(reduce_or, vd_unsigned, a != 0)
VD_UNARY(reduce_bool, vd_unsigned, a != 0)
#undef VD_UNARY

}  // namespace cxxrtl_yosys
