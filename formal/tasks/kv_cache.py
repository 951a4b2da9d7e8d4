"""The proof tasks of the KV cache on the chip, and of the queries that read it."""

from functools import partial

from formal.harness import assembled, kv, kv_layers
from formal.tasks.configs import CORE, WIDE
from formal.tasks.task import EVERYWHERE, NAMED, ON_CHIP, Task
from properties.kv_assembled import KvAssembledWriter
from properties.kv_bypass import KvBypass
from properties.kv_element import Tensor
from properties.kv_group import KvGroup
from properties.kv_in_range import KvInRange
from properties.kv_last_write import KvLastWrite
from properties.kv_layers import KvLayers
from properties.kv_naive import KvNaive
from properties.kv_row_done import KvRowDone
from properties.kv_single_writer import KvSingleWriter
from properties.queries import QueriesKept
from tools.planting import PlantedBug

_task = partial(Task, family="kv_cache", domain=ON_CHIP)


def _in_cache(name: str, function: str, node: str, replacement: str) -> PlantedBug:
    return PlantedBug(name, "design.kv_cache", f"KVRamOwner.{function}", node, replacement)


_NO_BYPASS = _in_cache(
    "a read that meets its write returns the old word", "_connect_banks",
    "bank.read_port(transparent_for=(write,))", "bank.read_port()",
)  # fmt: skip
#: Where every depth is a power of two.
_NO_OTHER_ADDRESS = {
    name: "its depths are powers of two: there is no address outside"
    for name in (*CORE, *WIDE)
    if name not in ("mha3", "mqa3")
}

KV_CACHE: tuple[Task, ...] = (
    _task("kv.single_writer", KvSingleWriter, kv.single_writer, obligations=2,
        bug=_in_cache(
            "a write goes to both banks", "_connect_banks", "lane_en.eq(wr_en << wr_lane)",
            "lane_en.eq((self.wr_en_k | self.wr_en_v) << wr_lane)")),
    # A solver would unroll the whole decoder until the first key is written.
    _task("kv.assembled_writer", KvAssembledWriter, assembled.single_writer,
        configs=("nano", "stories260k"), search={"steered": True, "layers": 2},
        search_by="explore", obligations=2, bug=PlantedBug(
            "a key is written in every layer",
            "design.cache", "CacheLayers._register_writes", "self.wr_en_k & is_layer",
            "self.wr_en_k")),
    *(
        _task(f"kv.bypass.{tensor.name.lower()}", KvBypass, kv.bypass, _NO_BYPASS,
            arguments={"tensor": tensor}, obligations=1)
        for tensor in Tensor
    ),
    _task("kv.last_write.key", KvLastWrite, kv.last_write, arguments={"tensor": Tensor.KEY},
        obligations=3, bug=_in_cache(
            "all elements of a key share an address", "_key_address",
            "times_constant(t[exact_log2(self.k_word) :], self.head_dim) + d",
            "times_constant(t[exact_log2(self.k_word) :], self.head_dim)")),
    _task("kv.last_write.value", KvLastWrite, kv.last_write, arguments={"tensor": Tensor.VALUE},
        obligations=3, bug=_in_cache(
            "two positions of the value bank share an address", "_value_address",
            "times_constant(t, words)", "times_constant(t[1:], words)")),
    _task("kv.in_range", KvInRange, kv.in_range, domain=NAMED, configs=("mha3",),
        unproved=_NO_OTHER_ADDRESS, obligations=1, bug=_in_cache(
            "values are written too far", "elaborate",
            "self._value_address(self.wr_pos, self.wr_d)",
            "self._value_address(self.wr_pos, self.wr_d) + self.head_dim")),
    _task("kv.row_done", KvRowDone, kv.row_done, obligations=6, cover_depth=40,
        bug=_in_cache(
            "a row is done as soon as it is announced", "elaborate", "row_open & row_full",
            "row_open")),
    _task("kv.naive", KvNaive, kv.naive, _NO_BYPASS, obligations=6),
    _task("kv.layers", KvLayers, kv_layers.layers, obligations=5, bug=PlantedBug(
        "a value is read in every layer",
        "design.cache", "CacheLayers._register_reads", "self.rd_start_v & is_layer",
        "self.rd_start_v")),
    *(
        _task(f"kv.group.{tensor.name.lower()}", KvGroup, kv_layers.group, obligations=3,
            arguments={"tensor": tensor}, bug=PlantedBug(
                "a word is of the layer that the read behind it named",
                "design.cache", "CacheLayers.elaborate", "layers[-1]", "layers[-2]"))
        for tensor in Tensor
    ),
    _task("kv.queries", QueriesKept, kv_layers.queries, obligations=2, domain=EVERYWHERE,
        bug=PlantedBug(
            "all elements of a query share an address",
            "design.queries", "QueryBuffer.elaborate",
            "times_constant(wr_block, shape.head_dim) + self.wr_d",
            "times_constant(wr_block, shape.head_dim)")),
)  # fmt: skip
