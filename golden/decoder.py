"""The specification of the RTL: one token at a time, in plain integers, one formula per line.

The model is Llama (arXiv 2302.13971, section 2.2): pre-norm, rotary embedding, grouped heads,
SwiGLU. Integers represent numbers in the formats of `spec.config.Numerics`; the gains of the norms
and the scale of the scores are folded into the weights (`golden.quantise`). Every tensor is rounded
by `GoldenDecoder.fit`. The stages of a layer run in the order of `spec.layer_plan`, and record
their results under the names of `spec.trace`.

This file is the reference: slow, and exact for any size. `golden.fast` computes the same with
float64 and compiled loops; tests compare every traced value of the two.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from golden.quantise import Model, Rows
from spec import tables
from spec.config import sum_format
from spec.derived import EXPONENT_STEP, SCALAR_BITS, TABLE_FRACTION, derive
from spec.fixed import SQ, Rounding
from spec.layer_plan import Attend, Stage, Work, layer_plan
from spec.schedule import Op, attention_order
from spec.trace import Tensor, sizes

#: The results of a step: tensor -> its values, a list for each layer.
Trace = dict[Tensor, list]


def rounded(value: int, shift: int, rounding: Rounding) -> int:
    """value / 2**shift as an integer."""
    exact = value / Fraction(2) ** shift
    match rounding:
        case Rounding.TRUNCATE:
            return math.floor(exact)
        case Rounding.HALF_UP:
            return math.floor(exact + Fraction(1, 2))
        case Rounding.HALF_EVEN:
            return round(exact)


def saturated(value: int, form: SQ) -> int:
    """The nearest integer of `form`."""
    return min(max(value, form.min), form.max)


def operand(value: int, rounding: Rounding) -> int:
    """`value` as an 18-bit mantissa times the smallest possible power of 16."""
    bound, exponent = 1 << (SCALAR_BITS - 1), 0
    while not -bound <= (mantissa := rounded(value, exponent, rounding)) < bound:
        exponent += EXPONENT_STEP
    return mantissa << exponent


def dot(a: Sequence[int], b: Sequence[int]) -> int:
    """The exact sum of products."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def interpolated(table: tables.Interpolated, x: int) -> int:
    """`table` at x, in units of 2**-TABLE_FRACTION."""
    node, fraction = divmod(x, 1 << table.fraction_bits)
    more = rounded(table.slope[node] * fraction, table.fraction_bits, Rounding.HALF_UP)
    return table.base[node] + more


class GoldenDecoder:
    """Decodes one sequence. `step` takes the token at the next position."""

    def __init__(self, model: Model):
        self.model, self.config = model, model.config
        self.pos = 0
        layers = range(model.config.shape.layers)
        self.keys: list[list[list[int]]] = [[] for _ in layers]  # [layer][position][kv_dim]
        self.values: list[list[list[int]]] = [[] for _ in layers]
        self.trace: Trace = {}

    def step(self, token: int) -> Trace:
        """Embed the token, run every layer, classify."""
        n, model = self.config.numerics, self.model
        self.trace = {tensor: [] for tensor in sizes(self.config)}
        row = Rows(model.embedding.weights[token][:, None], model.embedding.shift[token])
        self.x = self.project(row, [derive(self.config).one], [n.residual] * len(row.weights))
        self.note(Tensor.X_EMBED, self.x)
        for number, weights in enumerate(model.layers):
            self.layer(number, weights)
        forms = [n.logits] * self.config.shape.vocab
        logits = self.normed(model.classifier, forms, Tensor.RSQRT_FINAL, Tensor.LOGITS_SUM)
        self.note(Tensor.LOGITS, logits)
        self.pos += 1
        return self.trace

    def layer(self, number: int, weights: dict[Op, Rows]) -> None:
        """The stages of one layer, in the order of its plan."""
        self.number, self.weights = number, weights
        self.bias = [0] * len(weights[Op.QKV].weights)
        self.heads: list[dict[str, list[int]]] = []
        stages: dict[Work, Callable[[Stage], None]] = {
            Op.BIAS: self.biases,
            Op.QKV: self.qkv,
            Attend.SCORES: self.scores,
            Attend.VALUES: self.attention,
            Op.WO: self.output,
            Op.W13: self.gate_and_up,
            Op.W2: self.down,
        }
        for stage in layer_plan(self.config).stages:
            stages[stage.work](stage)

    # The stages. Each reads the results of the stages before it.

    def biases(self, stage: Stage) -> None:
        """The biases of queries, keys and values (Qwen2)."""
        self.bias = self.project(
            self.weights[Op.BIAS], [derive(self.config).one], self.qkv_formats()
        )
        self.note(Tensor.BIAS, self.bias)

    def qkv(self, stage: Stage) -> None:
        """Queries, keys and values of this position; keys and values go into the cache."""
        shape, n = self.config.shape, self.config.numerics
        qkv = self.normed(
            self.weights[Op.QKV], self.qkv_formats(), Tensor.RSQRT_ATT, Tensor.QKV_SUM, self.bias
        )
        keys, values = shape.q_dim, shape.q_dim + shape.kv_dim
        self.q = self.rotated(qkv[:keys], n.q)
        k, v = self.rotated(qkv[keys:values], n.k), qkv[values:]
        for tensor, x in ((Tensor.QKV, qkv), (Tensor.Q, self.q), (Tensor.K, k), (Tensor.V, v)):
            self.note(tensor, x)
        self.keys[self.number].append(k)
        self.values[self.number].append(v)

    def scores(self, stage: Stage) -> None:
        """The scores query . key of every position, and softmax weights 2**(score - maximum)."""
        n, exp2 = self.config.numerics, tables.exp2(self.config)
        shift = n.q.f + n.k.f - n.score.f
        for head in self.heads_of(stage):
            q, kv = self.query_slice(head), self.kv_slice(head)
            scores = [
                self.fit(dot(self.q[q], key[kv]), shift, n.score) for key in self.keys[self.number]
            ]
            weights = []
            for score in scores:
                octaves, fraction = divmod(max(scores) - score, 1 << n.score.f)
                weights.append(rounded(exp2[fraction], octaves, n.rounding))
            self.heads.append({"score": scores, "weight": weights})

    def attention(self, stage: Stage) -> None:
        """The weighted sum of the values of every position, over the sum of the weights."""
        n = self.config.numerics
        for head in self.heads_of(stage):
            weight, kv = self.heads[head]["weight"], self.kv_slice(head)
            total = sum(weight)  # (1 + m / 2**18) * 2**e, with the low bits of m dropped
            e = total.bit_length() - 1
            m = math.floor((Fraction(total, 1 << e) - 1) * (1 << SCALAR_BITS))
            reciprocal = interpolated(tables.reciprocal(self.config), m)
            columns = zip(*(value[kv] for value in self.values[self.number]), strict=True)
            shift, form = e + n.v.f - n.attention.f, sum_format(n.attention)
            sums = [self.fit(dot(weight, column), shift, form) for column in columns]
            out = [self.scaled(value, reciprocal, n.attention) for value in sums]
            self.heads[head] |= {"reciprocal": [reciprocal, e], "sum": sums, "attention": out}

    def output(self, stage: Stage) -> None:
        """The output projection, added to the residual."""
        heads, order = self.heads, attention_order(self.config)
        self.note(Tensor.SCORE, [head["score"] for head in heads])
        self.note(Tensor.MAXIMUM, [max(head["score"]) for head in heads])
        self.note(Tensor.WEIGHT, [head["weight"] for head in heads])
        self.note(Tensor.RECIPROCAL, _joined(heads, "reciprocal"))
        sums, out = _joined(heads, "sum"), _joined(heads, "attention")
        self.note(Tensor.ATTENTION_SUM, [sums[element] for element in order])
        self.note(Tensor.ATTENTION, [out[element] for element in order])
        self.add(Op.WO, out, Tensor.WO, Tensor.X_ATT)

    def gate_and_up(self, stage: Stage) -> None:
        """silu(gate) * up, with silu(gate) = gate * sigmoid(gate)."""
        n, table = self.config.numerics, tables.sigmoid(self.config)
        forms = [n.gate, n.up] * self.config.shape.hidden
        w13 = self.normed(self.weights[Op.W13], forms, Tensor.RSQRT_FFN, Tensor.W13_SUM)
        gate, up = w13[0::2], w13[1::2]
        sigmoid = [interpolated(table, g - n.gate.min) for g in gate]
        shift = TABLE_FRACTION + n.gate.f - n.silu.f
        silu = [self.fit(g * s, shift, n.silu) for g, s in zip(gate, sigmoid, strict=True)]
        shift = n.silu.f + n.up.f - n.ffn.f
        self.hidden = [self.fit(s * u, shift, n.ffn) for s, u in zip(silu, up, strict=True)]
        self.note(Tensor.W13, w13)
        self.note(Tensor.SIGMOID, sigmoid)
        self.note(Tensor.SILU, silu)
        self.note(Tensor.FFN, self.hidden)

    def down(self, stage: Stage) -> None:
        """The down projection, added to the residual."""
        self.add(Op.W2, self.operands(self.hidden), Tensor.W2, Tensor.X_FFN)

    # The operations of the stages.

    def fit(self, value: int, shift: int, form: SQ) -> int:
        """Requantise: shift right, round, and saturate to `form`."""
        return saturated(rounded(value, shift, self.config.numerics.rounding), form)

    def operands(self, x: list[int]) -> list[int]:
        """The operands that a matrix or the norm reads for a vector."""
        return [operand(element, self.config.numerics.rounding) for element in x]

    def project(self, rows: Rows, x: list[int], forms: list[SQ], exponent: int = 0) -> list[int]:
        """A matrix times x, each row in its own format."""
        shifts = [shift + exponent - derive(self.config).lead for shift in rows.shift.tolist()]
        triples = zip(rows.weights.tolist(), shifts, forms, strict=True)
        return [self.fit(dot(row, x), shift, form) for row, shift, form in triples]

    def normed(
        self,
        rows: Rows,
        forms: list[SQ],
        factor: Tensor,
        out: Tensor,
        bias: list[int] | None = None,
    ) -> list[int]:
        """A matrix times the residual over its root mean square (RMSNorm, arXiv 1910.07467).

        The matrix multiplies the residual itself. The factor sqrt(D) / sqrt(sum of squares +
        epsilon) = mantissa * 2**-e is applied to the sums: the power of two is added to the shift
        of the row, and the mantissa is a multiplication.
        """
        derived, x = derive(self.config), self.operands(self.x)
        square_sum = dot(x, x) + derived.epsilon
        e = (square_sum.bit_length() - 1) // 2
        m = math.floor(Fraction(square_sum << (SCALAR_BITS - 2), 4**e))
        mantissa = interpolated(tables.rsqrt(self.config), m)
        sums = self.project(rows, x, [sum_format(form) for form in forms], e - derived.norm_floor)
        self.note(factor, [mantissa, e])
        self.note(out, sums)
        triples = zip(sums, forms, bias or [0] * len(sums), strict=True)
        return [self.scaled(total, mantissa, form, offset) for total, form, offset in triples]

    def scaled(self, total: int, factor: int, form: SQ, bias: int = 0) -> int:
        """total * factor + bias, with `factor` in units of 2**-TABLE_FRACTION."""
        return self.fit(total * factor + (bias << TABLE_FRACTION), TABLE_FRACTION, form)

    def rotated(self, x: list[int], form: SQ) -> list[int]:
        """Each pair of a head rotated by its angle at this position (RoPE, arXiv 2104.09864)."""
        fraction, table = self.config.numerics.rope.f, tables.rope(self.config)
        out = []
        for i in range(0, len(x), 2):
            index = self.pos * table.pairs + i // 2 % table.pairs
            a, b, cos, sin = x[i], x[i + 1], table.cos[index], table.sin[index]
            out.append(self.fit(a * cos - b * sin, fraction, form))
            out.append(self.fit(a * sin + b * cos, fraction, form))
        return out

    def add(self, op: Op, x: list[int], product: Tensor, total: Tensor) -> None:
        """Add a projection of x to the residual."""
        form = self.config.numerics.residual
        added = self.project(self.weights[op], x, [form] * len(self.x))
        self.x = [saturated(a + b, form) for a, b in zip(self.x, added, strict=True)]
        self.note(product, added)
        self.note(total, self.x)

    def heads_of(self, stage: Stage) -> range:
        """The query heads of the stage's block."""
        slots = derive(self.config).slots
        return range(stage.block * slots, min((stage.block + 1) * slots, self.config.shape.heads))

    def query_slice(self, head: int) -> slice:
        """The elements of a query head in the queries."""
        size = self.config.shape.head_dim
        return slice(head * size, (head + 1) * size)

    def kv_slice(self, head: int) -> slice:
        """The elements of a query head's KV head in a key or value."""
        return self.query_slice(head // self.config.shape.group)

    def qkv_formats(self) -> list[SQ]:
        """The format of each row of QKV."""
        shape, n = self.config.shape, self.config.numerics
        return [n.q] * shape.q_dim + [n.k] * shape.kv_dim + [n.v] * shape.kv_dim

    def note(self, tensor: Tensor, values: list) -> None:
        """Record `values` in the trace."""
        self.trace[tensor].append(values)


def _joined(heads: list[dict[str, list[int]]], name: str) -> list[int]:
    return [value for head in heads for value in head[name]]
