"""What the caller of a KVRamOwner promises: assumed of its inputs."""

from typing import Any

from amaranth import *

from properties.dialect import Stated, Theorem, implies

#: Anything with the signature, and the sizes as attributes, of `design.kv_cache.KVRamOwner`.
Owner = Any


def one_write(owner: Owner) -> Stated:
    """One element a cycle."""
    return ~(owner.wr_en_k & owner.wr_en_v), "Never a key and a value write in one cycle."


def write_in_range(owner: Owner) -> Stated:
    """Writes are inside the cache."""
    exists = (
        (owner.wr_head_kv < owner.kv_heads)
        & (owner.wr_pos < owner.seq_len)
        & (owner.wr_d < owner.head_dim)
    )
    said = "A write names a head, a position and an element that exist."
    return implies(owner.wr_en_k | owner.wr_en_v, exists), said


def read_in_range(owner: Owner) -> Stated:
    """Reads are inside the cache."""
    exists = (owner.rd_t < owner.seq_len) & (owner.rd_d < owner.head_dim)
    said = "A read names a position and an element that exist."
    return implies(owner.rd_start_k | owner.rd_start_v, exists), said


def row_when_idle(owner: Owner) -> Stated:
    """One row at a time."""
    return ~(owner.row_start & owner.busy), "A row is announced only while none is open."


def write_inside_row(owner: Owner) -> Stated:
    """Writes are inside a row."""
    return implies(owner.wr_en_k | owner.wr_en_v, owner.busy), "Only an announced row is written."


def suppose_accesses(theorem: Theorem, owner: Owner) -> None:
    """Let `theorem` suppose what concerns single reads and writes."""
    theorem.suppose("one_write", *one_write(owner))
    theorem.suppose("write_in_range", *write_in_range(owner))
    theorem.suppose("read_in_range", *read_in_range(owner))
