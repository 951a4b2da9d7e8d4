"""What the caller of a KVRamOwner promises: assumed of its inputs, claimed of whoever drives it."""

from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies

#: Anything with the signature, and the sizes as attributes, of `design.kv_cache.KVRamOwner`.
Owner = Any


def one_write(owner: Owner) -> Value:
    """Never a key and a value write in one cycle."""
    return ~(owner.wr_en_k & owner.wr_en_v)


def write_in_range(owner: Owner) -> Value:
    """A write names a head, a position and an element that exist."""
    return implies(
        owner.wr_en_k | owner.wr_en_v,
        (owner.wr_head_kv < owner.kv_heads)
        & (owner.wr_pos < owner.seq_len)
        & (owner.wr_d < owner.head_dim),
    )


def read_in_range(owner: Owner) -> Value:
    """A read names a position and an element that exist."""
    return implies(
        owner.rd_start_k | owner.rd_start_v,
        (owner.rd_t < owner.seq_len) & (owner.rd_d < owner.head_dim),
    )


def row_when_idle(owner: Owner) -> Value:
    """A row is announced only while none is open."""
    return ~(owner.row_start & owner.busy)


def write_inside_row(owner: Owner) -> Value:
    """Only an announced row is written."""
    return implies(owner.wr_en_k | owner.wr_en_v, owner.busy)


class KvCallerContract(Theorem):
    """Whoever drives the cache asks for at most one write a cycle, in range and inside a row."""

    def __init__(self, owner: Owner):
        self.owner = owner

    def elaborate(self, platform):
        m = Module()
        owner = self.owner
        # At most one writer: keys and values are never written in one cycle.
        m.d.comb += self.claim("one_write", one_write(owner))
        # Every write goes to an element that exists.
        m.d.comb += self.claim("write_in_range", write_in_range(owner))
        # Every read comes from an element that exists.
        m.d.comb += self.claim("read_in_range", read_in_range(owner))
        # A row is announced only while none is open.
        m.d.comb += self.claim("row_when_idle", row_when_idle(owner))
        # Only an announced row is written.
        m.d.comb += self.claim("write_inside_row", write_inside_row(owner))

        m.d.comb += self.witness("key_written", owner.wr_en_k)
        m.d.comb += self.witness("value_written", owner.wr_en_v)
        return m
