"""Models of the caches of all layers on the chip, and of the queries that read them."""

from amaranth import *
from amaranth.utils import exact_log2

from design.arith import times_constant
from design.cache import CacheLayers
from design.queries import QueryBuffer
from formal.model import Model
from properties.kv_element import Tensor
from properties.kv_group import KvGroup
from properties.kv_layers import KvLayers
from properties.queries import QueriesKept
from spec.config import Config


def layers(config: Config) -> Model:
    """The cache as it is, and the ports of its owners."""
    dut = CacheLayers(config)
    waiting = {Tensor.KEY: dut.starts_k, Tensor.VALUE: dut.starts_v}
    return Model(dut, KvLayers(dut, dut.owners, waiting))


def group(config: Config, *, tensor: Tensor) -> Model:
    """The cache as it is; shows what it remembers of the reads on their way."""
    dut = CacheLayers(config)
    theorem = KvGroup(config, dut, dut.owners, tensor, layers=dut.layers[:2], blocks=dut.blocks[:2])
    return Model(dut, theorem)


def queries(config: Config) -> Model:
    """Adds to each slot's memory a combinational port at the chosen element."""
    dut = QueryBuffer(config)
    ports = [memory.read_port(domain="comb") for memory in dut.memories]
    count = len(dut.rd_data)
    theorem = QueriesKept(dut, [dut.rd_data[slot] for slot in range(count)])
    glue = Module()
    slot_bits = exact_log2(count)
    block = theorem.head >> slot_bits
    address = Signal(len(dut.rd_block) + len(dut.rd_d))
    glue.d.comb += address.eq(times_constant(block, config.shape.head_dim) + theorem.d)
    glue.d.comb += [port.addr.eq(address) for port in ports]
    stored = Array(port.data for port in ports)
    glue.d.comb += theorem.stored.eq(stored[theorem.head[:slot_bits]])
    return Model(dut, theorem, glue=glue)
