"""Models of the caches of all layers on the chip, and of the queries that read them."""

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.utils import ceil_log2, exact_log2

from design.arith import times_constant
from design.cache import CacheLayers
from design.queries import QueryBuffer
from formal.harness.stage import look_inside
from formal.model import Model
from properties.kv_element import Tensor
from properties.kv_group import KvGroup
from properties.kv_layers import KvLayers
from properties.queries import QueriesKept
from spec.config import Config


def _owners(config: Config, inside: Fragment) -> list:
    layers = range(config.shape.layers)
    return [inside.find_subfragment(f"layer_{layer}").origins[0] for layer in layers]


def layers(config: Config) -> Model:
    """The cache as it is, and the ports of its owners."""
    dut = CacheLayers(config)
    inside = Fragment.get(dut, None)
    # Of each layer in turn a key's and a value's; the first of a pair goes without its name.
    waiting = sorted(
        (
            each
            for each in inside.statements["sync"]._lhs_signals()
            if each.name in ("$signal", "starts_k", "starts_v")
        ),
        key=lambda each: each.duid,
    )
    by_tensor = {Tensor.KEY: waiting[0::2], Tensor.VALUE: waiting[1::2]}
    return Model(dut, KvLayers(dut, _owners(config, inside), by_tensor), inside=inside)


def group(config: Config, *, tensor: Tensor) -> Model:
    """The cache as it is; shows what it remembers of the reads on their way."""
    dut = CacheLayers(config)
    inside, hidden = look_inside(dut)
    theorem = KvGroup(
        config,
        dut,
        _owners(config, inside),
        tensor,
        layers=[hidden[f"layer_{n}"] for n in range(2)],
        blocks=[hidden[f"block_{n}"] for n in range(2)],
    )
    return Model(dut, theorem, inside=inside)


def queries(config: Config) -> Model:
    """Adds to each slot's memory a combinational port at the chosen element."""
    dut = QueryBuffer(config)
    inside = Fragment.get(dut, None)
    count = len(dut.rd_data)
    theorem = QueriesKept(dut, [dut.rd_data[slot] for slot in range(count)])
    glue = Module()
    slot_bits = exact_log2(count)
    block = theorem.head >> slot_bits
    address = Signal(len(dut.rd_block) + len(dut.rd_d))
    glue.d.comb += address.eq(times_constant(block, config.shape.head_dim) + theorem.d)
    stored = []
    for slot in range(count):
        memory: Fragment = inside.find_subfragment(f"slot_{slot}")
        data = Signal(signed(config.numerics.q.width), name=f"stored_{slot}")
        bits = ceil_log2(memory.origins[0].depth)
        memory.read_port(
            domain="comb", addr=address[:bits], data=data, en=C(1, 1), transparent_for=()
        )
        stored.append(data)
    glue.d.comb += theorem.stored.eq(Array(stored)[theorem.head[:slot_bits]])
    return Model(dut, theorem, inside=inside, glue=glue)
