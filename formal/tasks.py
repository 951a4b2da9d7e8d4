"""The table of proof tasks: what is proved, about which configurations, and how.

To add a component: a harness in `formal.harness` that returns a `Model`, and a row here with the
number of claims its theorem makes and a bug that it must catch.
"""

from design.errors import BadInput
from formal.canary import Canary
from formal.configs import PROOF_CONFIGS
from formal.harness import assembled, kv
from formal.task import NAMED, ON_CHIP, SHIPPED, Task
from formal.tasks_arithmetic import ARITHMETIC
from formal.tasks_composition import COMPOSITION
from formal.tasks_control import CONTROL
from formal.tasks_dataflow import DATAFLOW
from formal.tasks_kv_external import KV_EXTERNAL
from formal.tasks_kv_layers import KV_LAYERS
from formal.tasks_leaks import LEAKS
from formal.tasks_reset import RESET
from formal.tasks_streams import STREAMS
from properties.kv_assembled import KvAssembledWriter
from properties.kv_bypass import KvBypass
from properties.kv_element import Tensor
from properties.kv_in_range import KvInRange
from properties.kv_last_write import KvLastWrite
from properties.kv_naive import KvNaive
from properties.kv_row_done import KvRowDone
from properties.kv_single_writer import KvSingleWriter


def _kv_canary(name: str, snippet: str, replacement: str) -> Canary:
    return Canary(name, "design.kv_cache", snippet, replacement)


EVERY_BANK = _kv_canary(
    "a write goes to every head's bank",
    "write.en.eq(Mux(self.wr_head_kv == head, lane_en, 0))",
    "write.en.eq(lane_en)",
)
KEY_ALIAS = _kv_canary(
    "two key words share an address",
    "times_constant(t[exact_log2(self.k_word) :], self.head_dim)",
    "times_constant(t[exact_log2(self.k_word) + 1 :], self.head_dim)",
)
VALUE_ALIAS = _kv_canary(
    "two positions of the value bank share an address",
    "times_constant(t, words)",
    "times_constant(t[1:], words)",
)
NO_BYPASS = _kv_canary(
    "a read that meets its write returns the old word",
    "bank.read_port(transparent_for=(write,))",
    "bank.read_port()",
)
EVERY_LAYER = Canary(
    "a key is written in every layer",
    "design.cache",
    "owner.wr_en_k.eq(self.wr_en_k & is_layer)",
    "owner.wr_en_k.eq(self.wr_en_k)",
)
WRONG_LANE = _kv_canary(
    "a write goes to every lane of its word",
    "lane_en.eq(wr_en << wr_lane)",
    "lane_en.eq(wr_en.replicate(lanes))",
)
NEXT_WORD = _kv_canary(
    "keys are written a row too far",
    "wr_address=self._key_address(self.wr_pos, self.wr_d)",
    "wr_address=self._key_address(self.wr_pos, self.wr_d) + self.head_dim",
)
DONE_EARLY = _kv_canary(
    "a row is done as soon as it is announced",
    "self.done.eq(row_open & row_full)",
    "self.done.eq(row_open)",
)

#: Several elements a word, as stories260k has with 64 lanes; with its 8 lanes it has one.
_WIDE = {"k_word": 8, "v_word": 8}
#: Sizes none of which is a power of two, and words that the last of a row does not fill.
_ODD = {"kv_heads": 3, "seq_len": 11, "head_dim": 6, "k_word": 4, "v_word": 4}


def _bypass(id: str, tensor: Tensor, configs: tuple[str, ...] = SHIPPED, **words: int) -> Task:
    return Task(
        id=id,
        family="kv_cache",
        domain=ON_CHIP,
        theorem=KvBypass,
        harness=kv.bypass,
        arguments={"tensor": tensor, **words},
        configs=configs,
        obligations=1,
        canary=NO_BYPASS,
    )


def _last_write(
    id: str, tensor: Tensor, canary: Canary, configs: tuple[str, ...] = SHIPPED, **sizes: int
) -> Task:
    return Task(
        id=id,
        family="kv_cache",
        domain=ON_CHIP,
        theorem=KvLastWrite,
        harness=kv.last_write,
        arguments={"tensor": tensor, **sizes},
        configs=configs,
        obligations=3,
        canary=canary,
    )


def _naive(suffix: str, canary: Canary, configs: tuple[str, ...] = SHIPPED, **sizes: int) -> Task:
    return Task(
        id=f"kv.naive{suffix}",
        family="kv_cache",
        domain=ON_CHIP,
        theorem=KvNaive,
        harness=kv.naive,
        arguments=sizes,
        configs=configs,
        obligations=6,
        canary=canary,
    )


TASKS: tuple[Task, ...] = (
    # The longest first: they are begun in this order.
    *COMPOSITION,
    Task(
        id="kv.single_writer",
        family="kv_cache",
        domain=ON_CHIP,
        theorem=KvSingleWriter,
        harness=kv.single_writer,
        obligations=2,
        canary=EVERY_BANK,
    ),
    Task(
        id="kv.assembled_writer",
        family="kv_cache",
        domain=ON_CHIP,
        theorem=KvAssembledWriter,
        harness=assembled.single_writer,
        # A solver would unroll the whole decoder until the first key is written.
        search={"steered": True, "layers": 2},
        search_by="explore",
        obligations=2,
        canary=EVERY_LAYER,
    ),
    _bypass("kv.bypass.key", Tensor.KEY),
    _bypass("kv.bypass.value", Tensor.VALUE),
    _last_write("kv.last_write.key", Tensor.KEY, KEY_ALIAS),
    _last_write("kv.last_write.value", Tensor.VALUE, VALUE_ALIAS),
    _last_write("kv.last_write.key_wide", Tensor.KEY, WRONG_LANE, ("stories260k",), **_WIDE),
    _last_write("kv.last_write.value_wide", Tensor.VALUE, WRONG_LANE, ("stories260k",), **_WIDE),
    _last_write("kv.last_write.key_odd", Tensor.KEY, WRONG_LANE, ("nano",), **_ODD),
    _last_write("kv.last_write.value_odd", Tensor.VALUE, WRONG_LANE, ("nano",), **_ODD),
    Task(
        id="kv.in_range",
        family="kv_cache",
        domain=NAMED,
        theorem=KvInRange,
        harness=kv.in_range,
        # Where depths are powers of two, every address is one of the bank.
        arguments=_ODD,
        configs=("nano",),
        obligations=1,
        canary=NEXT_WORD,
    ),
    _bypass("kv.bypass.key_wide", Tensor.KEY, ("stories260k",), **_WIDE),
    _bypass("kv.bypass.value_wide", Tensor.VALUE, ("stories260k",), **_WIDE),
    Task(
        id="kv.row_done",
        family="kv_cache",
        domain=ON_CHIP,
        theorem=KvRowDone,
        harness=kv.row_done,
        obligations=6,
        canary=DONE_EARLY,
        cover_depth=40,
    ),
    _naive("", NO_BYPASS),
    _naive("_odd", KEY_ALIAS, ("nano",), **_ODD),
    *KV_LAYERS,
    *KV_EXTERNAL,
    *CONTROL,
    *DATAFLOW,
    *ARITHMETIC,
    *LEAKS,
    *RESET,
    *STREAMS,
)


def select(ids: tuple[str, ...], config: str | None) -> list[tuple[Task, str]]:
    """Tasks and configurations asked for; all when nothing is. An id may be a leading part
    (``kv.last_write``).

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
    pairs = [(t, name) for t in chosen for name in t.configs if config in (None, name)]
    if not pairs:
        raise BadInput(f"nothing selected is proved for --config {config!r}")
    return pairs
