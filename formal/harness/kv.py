"""Models of the KV cache of one layer."""

from typing import Any

from amaranth import *
from amaranth.utils import exact_log2

from design.kv_cache import KVRamOwner
from formal.model import Model
from properties.kv_bypass import KvBypass
from properties.kv_element import Tensor
from properties.kv_in_range import KvInRange
from properties.kv_last_write import KvLastWrite
from properties.kv_naive import KvNaive
from properties.kv_row_done import KvRowDone
from properties.kv_single_writer import KvSingleWriter
from spec.config import Config
from spec.derived import derive


def owner_of(config: Config) -> KVRamOwner:
    """The cache of one layer of `config`."""
    shape, numbers = config.shape, derive(config)
    return KVRamOwner(
        kv_heads=shape.kv_heads,
        seq_len=shape.seq_len,
        head_dim=shape.head_dim,
        width=numbers.kv_width,
        k_word=numbers.k_word,
        v_word=numbers.v_word,
    )


def _stored(m: Module, owner: KVRamOwner, tensor: Tensor, place: Any) -> Value:
    """What the banks of `tensor` hold at `place`, a head, position and element: adds to each a
    combinational port."""
    if tensor is Tensor.KEY:
        banks, address = owner.key_banks, owner._key_address(place.t, place.d)
        lane = place.t[: exact_log2(owner.k_word)]
    else:
        banks, address = owner.value_banks, owner._value_address(place.t, place.d)
        lane = place.d[: exact_log2(owner.v_word)]
    ports = [bank.read_port(domain="comb") for bank in banks]
    m.d.comb += [port.addr.eq(address) for port in ports]
    return Array(port.data for port in ports)[place.head][lane]


def last_write(config: Config, *, tensor: Tensor) -> Model:
    """Shows the theorem what is stored at the chosen element."""
    owner = owner_of(config)
    theorem = KvLastWrite(owner, tensor)
    glue = Module()
    glue.d.comb += theorem.stored.eq(_stored(glue, owner, tensor, theorem.element))
    return Model(owner, theorem, glue=glue)


def naive(config: Config) -> Model:
    """Shows the theorem what banks and naive arrays hold at the chosen place."""
    owner = owner_of(config)
    theorem = KvNaive(owner)
    glue = Module()
    for tensor in Tensor:
        in_bank, in_array = theorem.stored[tensor.value]
        port = theorem.naive.arrays[tensor.value].read_port(domain="comb")
        glue.d.comb += [
            in_bank.eq(_stored(glue, owner, tensor, theorem.place)),
            port.addr.eq(theorem.place),
            in_array.eq(port.data),
        ]
    return Model(owner, theorem, glue=glue)


def bypass(config: Config, *, tensor: Tensor) -> Model:
    owner = owner_of(config)
    return Model(owner, KvBypass(owner, tensor))


def single_writer(config: Config) -> Model:
    """Shows the theorem the write enables of every bank, each of which must have one write port."""
    owner = owner_of(config)
    inside = Fragment.get(owner, None)
    lanes_written = {}
    for tensor, banks in ((Tensor.KEY, owner.key_banks), (Tensor.VALUE, owner.value_banks)):
        for head, bank in enumerate(banks):
            (port,) = bank.write_ports
            lanes_written[tensor, head] = port.en
    return Model(owner, KvSingleWriter(owner, lanes_written), inside=inside)


def in_range(config: Config) -> Model:
    """Shows the theorem enable and address of every port of every bank."""
    owner = owner_of(config)
    inside = Fragment.get(owner, None)
    accesses = [
        (Value.cast(port.en), port.addr, bank.depth)
        for bank in (*owner.key_banks, *owner.value_banks)
        for port in (*bank.read_ports, *bank.write_ports)
    ]
    return Model(owner, KvInRange(owner, accesses), inside=inside)


def row_done(config: Config) -> Model:
    owner = owner_of(config)
    return Model(owner, KvRowDone(owner))
