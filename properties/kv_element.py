"""One cache element chosen by the solver, and what the current cycle does to it."""

import enum

from amaranth import *
from amaranth.utils import exact_log2

from properties.dialect import Theorem
from properties.kv_contract import Owner


class Tensor(enum.Enum):
    """Which half of the cache a theorem is about."""

    KEY = "k"
    VALUE = "v"


class KvElement:
    """Element (`head`, `t`, `d`) of a tensor, symbolic.

    Signals, valid once `connect` was called: `written`, this cycle writes it; `read`, this cycle
    starts a read that returns it; `start`, this cycle starts any read of the tensor; `shown`,
    what stands in the element's lane of its head's word.
    """

    def __init__(self, owner: Owner, tensor: Tensor):
        self.owner = owner
        self.tensor = tensor
        self.head = Signal(range(owner.kv_heads))
        self.t = Signal(range(owner.seq_len))
        self.d = Signal(range(owner.head_dim))
        self.start = Signal()
        self.written = Signal()
        self.read = Signal()
        self.shown = Signal(signed(owner.width))

    @property
    def lane(self) -> Value:
        """Where in its word the element stands."""
        if self.tensor is Tensor.KEY:
            return self.t[: exact_log2(self.owner.k_word)]
        return self.d[: exact_log2(self.owner.v_word)]

    def connect(self, m: Module, theorem: Theorem) -> None:
        """Let the solver choose the element and drive the signals."""
        owner = self.owner
        theorem.choose(self.head, owner.kv_heads)
        theorem.choose(self.t, owner.seq_len)
        theorem.choose(self.d, owner.head_dim)

        if self.tensor is Tensor.KEY:
            start, wr_en, words = owner.rd_start_k, owner.wr_en_k, owner.rd_k
            shift = exact_log2(owner.k_word)
            same_word = (owner.rd_t >> shift == self.t >> shift) & (owner.rd_d == self.d)
        else:
            start, wr_en, words = owner.rd_start_v, owner.wr_en_v, owner.rd_v
            shift = exact_log2(owner.v_word)
            same_word = (owner.rd_t == self.t) & (owner.rd_d >> shift == self.d >> shift)
        m.d.comb += [
            self.start.eq(start),
            self.read.eq(start & same_word),
            self.written.eq(
                wr_en
                & (owner.wr_head_kv == self.head)
                & (owner.wr_pos == self.t)
                & (owner.wr_d == self.d)
            ),
            self.shown.eq(words[self.head][self.lane]),
        ]
