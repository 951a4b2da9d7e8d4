"""Amaranth values as numpy numbers: golden's own lines, run on them, draw a circuit.

`golden` computes on numpy arrays. Given a `Terms`, an object array of `Term`, the very same lines
yield the specification of what they compute, for all inputs at once, and the solver compares it
with the design. Nothing of golden is written a second time.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth import *
from amaranth.hdl import ValueLike, unsigned

from properties.dialect import anything

_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class Product:
    """A product that the design has made, or was handed: `result` stands for ``a * b``."""

    a: Value
    b: Value
    result: Value


class Circuit:
    """Where terms are drawn: `golden` code runs inside ``with Circuit(m):``.

    Each result becomes a signal of `m`, since an expression would be spelled out again wherever it
    is used. Solvers drown in multipliers, so with `products` none is drawn: a product is that of
    `products` with equal operands, and anything when there is none. What is proved so holds for
    every function of two operands, multiplication included. `by_bits`: for engines that know no
    multiplier, one is drawn as shifts and additions.
    """

    _current: list["Circuit"] = []

    def __init__(self, m: Module, products: Sequence[Product] = (), *, by_bits: bool = False):
        self.m = m
        self.products = products
        self.by_bits = by_bits

    def __enter__(self) -> None:
        self._current.append(self)

    def __exit__(self, *error: object) -> None:
        self._current.pop()

    @classmethod
    def current(cls) -> "Circuit":
        """The innermost."""
        return cls._current[-1]

    def multiplied(self, a: Value, b: Value) -> Value:
        """The product of two values; `by_bits`, not of two signed ones."""
        if not self.by_bits:
            return a * b
        if b.shape().signed:
            a, b = b, a
        assert not b.shape().signed, "there is an unsigned factor"
        return sum((Mux(bit, a << place, 0) for place, bit in enumerate(b)), C(0))

    def drawn(self, value: Value, shape: Shape, name: str) -> Value:
        """A signal of the least `shape` that holds `value`."""
        if isinstance(value, Const | Signal) and value.shape() == shape:
            return value
        signal = Signal(shape, name=name)
        self.m.d.comb += signal.eq(value)
        return signal


class Term:
    """One number, ``value * 2**exponent``, never wrapped or rounded unless golden says so.

    `low` and `high` bound `value`. An `exponent` other than 0 is what golden holds as float64.
    `defined` says whether golden's own integers can follow: no shift by a negative amount,
    nothing beyond int64.
    """

    def __init__(
        self,
        value: ValueLike,
        bounds: range | None = None,
        *,
        exponent: Any = 0,  # an integer or a term
        defined: Sequence[Value] = (),
    ):
        value = Value.cast(value)
        if bounds is None:
            shape = value.shape()
            top = 1 << max(shape.width - shape.signed, 0)
            bounds = range(-top if shape.signed else 0, top)
        self.low, self.high = bounds[0], bounds[-1]
        circuit = Circuit.current()
        negative = self.low < 0
        bits = max((~self.low if negative else 0).bit_length(), self.high.bit_length())
        shape = Shape(bits + negative, signed=negative)
        one = self.low == self.high
        self.value = C(self.low) if one else circuit.drawn(value, shape, "term")
        self.exponent = exponent
        conditions = [each for each in defined if not isinstance(each, Const)]
        if exponent == 0 and not (self.low in _INT64 and self.high in _INT64):
            conditions.append((self.value >= _INT64[0]) & (self.value <= _INT64[-1]))
        self.defined = (
            circuit.drawn(Cat(conditions).all(), unsigned(1), "defined") if conditions else C(1, 1)
        )

    def _new(self, value: Value, low: int, high: int, *others: "Term", **kwargs: Any) -> "Term":
        defined = [each.defined for each in (self, *others)]
        return Term(value, range(low, high + 1), defined=defined, **kwargs)

    def equals(self, found: Value) -> Value:
        """Whether golden computes just what was found."""
        term = self._fixed()
        assert term.exponent == 0, "a fraction is no result"
        return term.defined & (term.value == found)

    def __bool__(self) -> bool:
        raise TypeError("golden must not branch on a value")

    # Numbers with a point, as golden keeps them in float64.

    def _fixed(self) -> "Term":
        """The same number with an exponent that is no term."""
        if isinstance(self.exponent, int):
            return self
        low = self.exponent.low
        moved = self << (self.exponent - low)
        return moved._new(moved.value, moved.low, moved.high, exponent=low)

    def _aligned(self, other: Any) -> tuple["Term", "Term", int]:
        """Both with the same exponent."""
        one, two = self._fixed(), term(other)._fixed()
        exponent = min(one.exponent, two.exponent)
        return one._scaled(exponent), two._scaled(exponent), exponent

    def _scaled(self, exponent: int) -> "Term":
        by = self.exponent - exponent
        return self._new(self.value << by, self.low << by, self.high << by, exponent=exponent)

    def __floor__(self) -> "Term":
        fixed = self._fixed()
        if fixed.exponent >= 0:
            return fixed._scaled(0)
        by = -fixed.exponent
        return self._new(fixed.value >> by, fixed.low >> by, fixed.high >> by, fixed)

    def rint(self) -> "Term":
        """The nearest integer, ties to even."""
        floor = math.floor(self)
        rest = self - floor
        up = (rest > 0.5) | ((rest >= 0.5) & (floor & 1))
        return floor + up

    def exp2(self) -> "Term":
        """``2**self``."""
        return Term(C(1), range(1, 2), exponent=self, defined=[self.defined])

    def frexp(self) -> tuple[None, "Term"]:
        """The exponent of an integer that is not negative is its length in bits."""
        assert self.exponent == 0 and self.low >= 0
        length: Value = C(0)
        for bit in range(len(self.value)):
            length = Mux(self.value[bit], bit + 1, length)
        return None, self._new(length, 0, self.high.bit_length())

    # Arithmetic.

    def __add__(self, other: Any) -> "Term":
        a, b, exponent = self._aligned(other)
        return a._new(a.value + b.value, a.low + b.low, a.high + b.high, b, exponent=exponent)

    def __neg__(self) -> "Term":
        return self._new(-self.value, -self.high, -self.low, exponent=self.exponent)

    def __sub__(self, other: Any) -> "Term":
        return self + -term(other)

    def __rsub__(self, other: Any) -> "Term":
        return term(other) - self

    def __mul__(self, other: Any) -> "Term":
        other = term(other)
        ends = [x * y for x in (self.low, self.high) for y in (other.low, other.high)]
        low, high, exponent = min(ends), max(ends), self.exponent + other.exponent
        products = Circuit.current().products
        for one, two in ((self, other), (other, self)):
            if one.low == one.high and one.low > 0 and one.low & (one.low - 1) == 0:
                value = two.value << (one.low.bit_length() - 1)
                break
            if (one.low, one.high) == (0, 1):
                value = Mux(one.value, two.value, 0)
                break
        else:
            value = Circuit.current().multiplied(self.value, other.value)
            if products:
                # Anything of its width.
                value = anything(len(products[0].result)).as_signed()
                low, high = -1 << (len(value) - 1), (1 << (len(value) - 1)) - 1
            for product in products:
                same = (self.value == product.a) & (other.value == product.b)
                value = Mux(same, product.result, value)
        return self._new(value, low, high, other, exponent=exponent)

    __radd__, __rmul__ = __add__, __mul__

    # Integers.

    def _integer(self) -> "Term":
        assert self.exponent == 0, "shifts and masks are for integers"
        return self

    def _amount(self) -> tuple[Value, range, "Term"]:
        """As a shift's amount: its bits and bounds; and a term that is defined if it is one."""
        bits = self._integer().value
        if self.low < self.high:
            bits = bits[: max(self.high, 0).bit_length()]
        fine = C(1, 1) if self.low >= 0 else self.value >= 0
        by = range(max(self.low, 0), self.high + 1)
        return bits, by, Term(C(0), defined=[self.defined, fine])

    def __lshift__(self, other: Any) -> "Term":
        amount, by, fine = term(other)._amount()
        ends = [end << shift for end in (self.low, self.high) for shift in (by[0], by[-1])]
        value = self.value << amount
        return self._new(value, min(ends), max(ends), fine, exponent=self.exponent)

    def __rshift__(self, other: Any) -> "Term":
        amount, by, fine = term(other)._amount()
        ends = [end >> shift for end in (self.low, self.high) for shift in (by[0], by[-1])]
        value = self._integer().value >> amount
        return self._new(value, min(ends), max(ends), fine)

    def __rlshift__(self, other: Any) -> "Term":
        return term(other) << self

    def __and__(self, other: Any) -> "Term":
        a, b = self._integer(), term(other)._integer()
        if b.low < 0:
            return self._new(a.value & b.value, min(a.low, b.low, 0), max(a.high, b.high), b)
        # Not negative: no more than the mask.
        return self._new((a.value & b.value)[: len(b.value)], 0, b.high, b)

    def __or__(self, other: Any) -> "Term":
        a, b = self._integer(), term(other)._integer()
        high = (1 << max(a.high.bit_length(), b.high.bit_length())) - 1
        assert a.low >= 0 and b.low >= 0, "not needed of others"
        return self._new(a.value | b.value, 0, high, b)

    # Truth values are the integers 0 and 1.

    def _compare(self, how: Callable, other: Any) -> "Term":
        a, b, _ = self._aligned(other)
        return a._new(how(a.value, b.value), 0, 1, b)

    def __gt__(self, other: Any) -> "Term":
        return self._compare(operator.gt, other)

    def __ge__(self, other: Any) -> "Term":
        return self._compare(operator.ge, other)

    def __lt__(self, other: Any) -> "Term":
        return self._compare(operator.lt, other)

    def __le__(self, other: Any) -> "Term":
        return self._compare(operator.le, other)


def term(number: Any) -> Term:
    """A term from a term, an integer, an exact float or an Amaranth value."""
    if isinstance(number, Term):
        return number
    if isinstance(number, np.generic):
        number = number.item()
    if not isinstance(number, int | float):
        return Term(number)
    numerator, denominator = number.as_integer_ratio()
    exponent = 1 - denominator.bit_length()
    return Term(C(numerator), range(numerator, numerator + 1), exponent=exponent)


def select(condition: Any, yes: Any, no: Any) -> Term:
    """`yes` where `condition` holds, else `no`."""
    condition = term(condition)
    yes, no, exponent = term(yes)._aligned(no)
    value = Mux(condition.value, yes.value, no.value)
    low, high = min(yes.low, no.low), max(yes.high, no.high)
    return yes._new(value, low, high, no, condition, exponent=exponent)


def maximum(a: Any, b: Any) -> Term:
    """The greater."""
    a, b, exponent = term(a)._aligned(b)
    value = Mux(a.value >= b.value, a.value, b.value)
    return a._new(value, max(a.low, b.low), max(a.high, b.high), b, exponent=exponent)


def minimum(a: Any, b: Any) -> Term:
    """The lesser."""
    a, b, exponent = term(a)._aligned(b)
    value = Mux(a.value <= b.value, a.value, b.value)
    return a._new(value, min(a.low, b.low), min(a.high, b.high), b, exponent=exponent)


def clip(value: Any, low: Any, high: Any) -> Term:
    """The nearest number from `low` to `high`."""
    return minimum(maximum(value, low), high)


class Terms(np.ndarray):
    """A row of terms. It does, element by element, what numpy would do on machine numbers."""

    def __new__(cls, *numbers: Any) -> "Terms":
        return np.array([term(number) for number in numbers], dtype=object).view(cls)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [np.asarray(each) if isinstance(each, Terms) else each for each in inputs]
        if ufunc.__name__ in _ELEMENTWISE:
            element: Any = _ELEMENTWISE[ufunc.__name__]
            result = np.frompyfunc(element, ufunc.nin, ufunc.nout)(*plain)
        else:
            # The Python operators of the elements, truth values included.
            result = getattr(ufunc, method)(*plain, **kwargs | {"dtype": object})
        if out is not None:
            out[0][...] = result
            return out[0]
        if isinstance(result, tuple):
            return tuple(np.asarray(each, dtype=object).view(Terms) for each in result)
        return np.asarray(result, dtype=object).view(Terms)

    def __array_function__(self, function, types, args, kwargs):
        if function is np.where:
            plain = [np.asarray(each, dtype=object) for each in args]
            return np.frompyfunc(select, 3, 1)(*plain).view(Terms)
        return super().__array_function__(function, types, args, kwargs)

    def astype(self, dtype, *args, **kwargs):
        """Terms are exact: as float64 or as int64 they are the same numbers."""
        return self.copy()


#: What numpy has no operator of Python for.
_ELEMENTWISE = {"clip": clip, "maximum": maximum, "minimum": minimum, "frexp": Term.frexp}


class Lookup:
    """A table of which just the entry at a term is asked for: `entry` gets the index."""

    def __init__(self, entry: Callable[[Term], Any]):
        self.entry = entry

    def __getitem__(self, index: Terms) -> Terms:
        return Terms(*(self.entry(each) for each in index))
