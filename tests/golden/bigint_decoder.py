"""One step of the fixed-point decoder with plain Python integers, a formula a line.

Shares with `golden` only the quantised weights and the tables: it is what the golden decoder is
measured against. Slow, and exact whatever the sizes.
"""

import math
from fractions import Fraction

from golden.quantise import Model, Rows
from spec import tables
from spec.config import sum_format
from spec.derived import TABLE_FRACTION, derive
from spec.fixed import SQ, Rounding
from spec.schedule import Op, attention_order
from spec.trace import Tensor, sizes


def rounded(value: int, shift: int, rounding: Rounding) -> int:
    exact = value / Fraction(2) ** shift
    if rounding is Rounding.HALF_EVEN:
        return round(exact)
    return math.floor(exact + (Fraction(1, 2) if rounding is Rounding.HALF_UP else 0))


def saturated(value: int, form: SQ) -> int:
    return min(max(value, form.min), form.max)


def operand(value: int, rounding: Rounding) -> int:
    """An 18-bit mantissa times the smallest power of 16 that it fits with."""
    for power in range(8):
        mantissa = rounded(value, 4 * power, rounding)
        if -(1 << 17) <= mantissa < 1 << 17:
            return mantissa << (4 * power)
    raise AssertionError(value)


def dot(a, b) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def looked_up(table: tables.Interpolated, x: int) -> int:
    node, fraction = divmod(x, 1 << table.fraction_bits)
    slope = Fraction(table.slope[node] * fraction, 1 << table.fraction_bits)
    return table.base[node] + math.floor(slope + Fraction(1, 2))


class BigIntDecoder:
    """One sequence; `step` returns the trace: tensor -> a list per layer of its values in order."""

    def __init__(self, model: Model):
        self.model, self.config = model, model.config
        self.pos = 0
        layers = range(model.config.shape.layers)
        self.keys: list[list[list[int]]] = [[] for _ in layers]
        self.values: list[list[list[int]]] = [[] for _ in layers]

    def fit(self, value: int, shift: int, form: SQ) -> int:
        return saturated(rounded(value, shift, self.config.numerics.rounding), form)

    def operands(self, x: list[int]) -> list[int]:
        return [operand(each, self.config.numerics.rounding) for each in x]

    def project(self, rows: Rows, x: list[int], forms: list[SQ], more: int = 0) -> list[int]:
        weights, shifts = rows.weights.tolist(), rows.shift.tolist()
        more -= derive(self.config).lead
        triples = zip(weights, shifts, forms, strict=True)
        return [self.fit(dot(row, x), shift + more, form) for row, shift, form in triples]

    def normed(
        self,
        rows: Rows,
        x: list[int],
        forms: list[SQ],
        factor: Tensor,
        out: Tensor,
        bias: list[int] | None = None,
    ) -> list[int]:
        derived = derive(self.config)
        x = self.operands(x)
        square_sum = dot(x, x) + derived.epsilon
        e = (square_sum.bit_length() - 1) // 2
        m = math.floor(Fraction(square_sum << 16, 4**e))
        mantissa = looked_up(tables.rsqrt(self.config), m)
        sums = self.project(rows, x, [sum_format(form) for form in forms], e - derived.norm_floor)
        self.note(factor, [mantissa, e])
        self.note(out, sums)
        triples = zip(sums, forms, bias or [0] * len(sums), strict=True)
        return [self.scaled(total, form, mantissa, added) for total, form, added in triples]

    def scaled(self, total: int, form: SQ, mantissa: int, bias: int = 0) -> int:
        return self.fit(total * mantissa + (bias << TABLE_FRACTION), TABLE_FRACTION, form)

    def turn(self, x: list[int], form: SQ) -> list[int]:
        n, table, hs = self.config.numerics, tables.rope(self.config), self.config.shape.head_dim
        out = []
        for i in range(0, len(x), 2):
            at = self.pos * table.pairs + i % hs // 2
            a, b, cos, sin = x[i], x[i + 1], table.cos[at], table.sin[at]
            out.append(self.fit(a * cos - b * sin, n.rope.f, form))
            out.append(self.fit(a * sin + b * cos, n.rope.f, form))
        return out

    def note(self, tensor: Tensor, values: list) -> None:
        self.trace[tensor].append(values)

    def step(self, token: int) -> dict[Tensor, list]:
        config, n, model = self.config, self.config.numerics, self.model
        self.trace: dict[Tensor, list] = {tensor: [] for tensor in sizes(config)}
        derived = derive(config)
        pairs = zip(
            model.embedding.weights[token].tolist(),
            model.embedding.shift[token].tolist(),
            strict=True,
        )
        x = [
            self.fit(weight * derived.one, shift - derived.lead, n.residual)
            for weight, shift in pairs
        ]
        self.note(Tensor.X_EMBED, x)
        for number, layer in enumerate(model.layers):
            x = self.ffn(self.attention(x, number, layer), layer)
        forms = [n.logits] * config.shape.vocab
        logits = self.normed(model.classifier, x, forms, Tensor.RSQRT_FINAL, Tensor.LOGITS_SUM)
        self.note(Tensor.LOGITS, logits)
        self.pos += 1
        return self.trace

    def add(self, x: list[int], y: list[int], tensor: Tensor) -> list[int]:
        form = self.config.numerics.residual
        total = [saturated(a + b, form) for a, b in zip(x, y, strict=True)]
        self.note(tensor, total)
        return total

    def attention(self, x: list[int], number: int, layer: dict[Op, Rows]) -> list[int]:
        shape, n = self.config.shape, self.config.numerics
        forms = [n.q] * shape.q_dim + [n.k] * shape.kv_dim + [n.v] * shape.kv_dim
        bias = None
        if shape.qkv_bias:
            bias = self.project(layer[Op.BIAS], [derive(self.config).one], forms)
            self.note(Tensor.BIAS, bias)
        qkv = self.normed(layer[Op.QKV], x, forms, Tensor.RSQRT_ATT, Tensor.QKV_SUM, bias)
        q = self.turn(qkv[: shape.q_dim], n.q)
        k = self.turn(qkv[shape.q_dim : shape.q_dim + shape.kv_dim], n.k)
        v = qkv[shape.q_dim + shape.kv_dim :]
        for tensor, values in zip(
            (Tensor.QKV, Tensor.Q, Tensor.K, Tensor.V), (qkv, q, k, v), strict=True
        ):
            self.note(tensor, values)
        self.keys[number].append(k)
        self.values[number].append(v)
        heads = [self.head(q, head, number) for head in range(shape.heads)]
        self.note(Tensor.SCORE, [head["score"] for head in heads])
        self.note(Tensor.MAXIMUM, [max(head["score"]) for head in heads])
        self.note(Tensor.WEIGHT, [head["weight"] for head in heads])
        self.note(Tensor.RECIPROCAL, [half for head in heads for half in head["reciprocal"]])
        order = attention_order(self.config)
        sums = [value for head in heads for value in head["sum"]]
        out = [value for head in heads for value in head["attention"]]
        self.note(Tensor.ATTENTION_SUM, [sums[element] for element in order])
        self.note(Tensor.ATTENTION, [out[element] for element in order])
        wo = self.project(layer[Op.WO], out, [n.residual] * shape.dim)
        self.note(Tensor.WO, wo)
        return self.add(x, wo, Tensor.X_ATT)

    def head(self, q: list[int], head: int, number: int) -> dict[str, list[int]]:
        config, n, hs = self.config, self.config.numerics, self.config.shape.head_dim
        own = slice(head * hs, head * hs + hs)
        kv = slice(head // config.shape.group * hs, head // config.shape.group * hs + hs)
        shift = n.q.f + n.k.f - n.score.f
        score = [self.fit(dot(q[own], key[kv]), shift, n.score) for key in self.keys[number]]
        exp2 = tables.exp2(config)
        weight = []
        for each in score:
            octaves, fraction = divmod(max(score) - each, 1 << n.score.f)
            weight.append(rounded(exp2[fraction], octaves, n.rounding))
        total = sum(weight)
        e = total.bit_length() - 1
        m = math.floor((Fraction(total, 1 << e) - 1) * (1 << 18))
        mantissa = looked_up(tables.reciprocal(config), m)
        columns = zip(*(value[kv] for value in self.values[number]), strict=True)
        shift, form = e + n.v.f - n.attention.f, sum_format(n.attention)
        sums = [self.fit(dot(weight, column), shift, form) for column in columns]
        out = [self.scaled(each, n.attention, mantissa) for each in sums]
        return dict(score=score, weight=weight, reciprocal=[mantissa, e], sum=sums, attention=out)

    def ffn(self, x: list[int], layer: dict[Op, Rows]) -> list[int]:
        shape, n = self.config.shape, self.config.numerics
        forms = [n.gate, n.up] * shape.hidden
        w13 = self.normed(layer[Op.W13], x, forms, Tensor.RSQRT_FFN, Tensor.W13_SUM)
        gate, up = w13[0::2], w13[1::2]
        sigmoid = [looked_up(tables.sigmoid(self.config), value - n.gate.min) for value in gate]
        shift = TABLE_FRACTION + n.gate.f - n.silu.f
        silu = [self.fit(g * s, shift, n.silu) for g, s in zip(gate, sigmoid, strict=True)]
        shift = n.silu.f + n.up.f - n.ffn.f
        out = [self.fit(s * u, shift, n.ffn) for s, u in zip(silu, up, strict=True)]
        operands = self.operands(out)
        w2 = self.project(layer[Op.W2], operands, [n.residual] * shape.dim)
        for tensor, values in (
            (Tensor.W13, w13), (Tensor.SIGMOID, sigmoid), (Tensor.SILU, silu), (Tensor.FFN, out),
            (Tensor.W2, w2),
        ):  # fmt: skip
            self.note(tensor, values)
        return self.add(x, w2, Tensor.X_FFN)
