"""The table of proof tasks: what is proved, about which configurations, and how.

To add a component: a harness in `formal.harness` that returns a `Model`, and a row here with the
number of claims its theorem makes and a bug that it must catch.
"""

from functools import partial

from formal.harness import assembled, kv
from formal.tasks.arithmetic import ARITHMETIC
from formal.tasks.composition import COMPOSITION
from formal.tasks.configs import CORE, PROOF_CONFIGS, WIDE
from formal.tasks.control import CONTROL
from formal.tasks.cordic import CORDIC
from formal.tasks.dataflow import DATAFLOW
from formal.tasks.kv_external import KV_EXTERNAL
from formal.tasks.kv_layers import KV_LAYERS
from formal.tasks.leaks import LEAKS
from formal.tasks.lemmas import LEMMAS
from formal.tasks.reset import RESET
from formal.tasks.streams import STREAMS
from formal.tasks.task import NAMED, ON_CHIP, Task, Tier
from properties.kv_assembled import KvAssembledWriter
from properties.kv_bypass import KvBypass
from properties.kv_element import Tensor
from properties.kv_in_range import KvInRange
from properties.kv_last_write import KvLastWrite
from properties.kv_naive import KvNaive
from properties.kv_row_done import KvRowDone
from properties.kv_single_writer import KvSingleWriter
from tools.errors import BadInput
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

TASKS: tuple[Task, ...] = (
    # The longest first: they are begun in this order.
    *COMPOSITION,
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
    *KV_LAYERS,
    *KV_EXTERNAL,
    *CONTROL,
    *DATAFLOW,
    *CORDIC,
    *ARITHMETIC,
    *LEMMAS,
    *LEAKS,
    *RESET,
    *STREAMS,
)  # fmt: skip


def select(ids: tuple[str, ...], config: str | None, tier: Tier = "core") -> list[tuple[Task, str]]:
    """Tasks and configurations asked for, of all tasks when no id is. An id may be a leading part
    (``kv.last_write``). A `config` may be any of the table; without one they are those of `tier`,
    or all, for a task asked for by its id that has none in the core.

    What a wider tier adds stands behind, configuration by configuration: where two have the same
    netlist, the second is remembered by the time it is asked about.

    Raises BadInput for an id or a configuration that selects nothing.
    """
    if config is not None and config not in PROOF_CONFIGS:
        raise BadInput(f"--config {config!r} is not one of {', '.join(PROOF_CONFIGS)}")
    chosen = []
    for wanted in ids or ("",):
        tasks = [t for t in TASKS if not wanted or t.id == wanted or t.id.startswith(f"{wanted}.")]
        if not tasks:
            raise BadInput(f"property {wanted!r} is not in the table; see `python -m formal list`")
        chosen += [task for task in tasks if task not in chosen]
    pairs = [(t, name) for t in chosen for name in t.configs]
    wider = [t for t in chosen if tier == "all" or config or (ids and not t.configs)]
    pairs += [(t, name) for name in PROOF_CONFIGS for t in wider if name in t.wide]
    pairs = [(t, name) for t, name in pairs if config in (None, name)]
    if not pairs:
        raise BadInput(f"nothing selected is proved for --config {config!r}")
    return pairs
