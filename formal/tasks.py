"""The table of proof tasks: what is proved, about which configurations, and how.

To add a component: a harness in `formal.harness` that returns a `Model`, and a row here with the
number of claims its theorem makes and a bug that it must catch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from design.config import CONFIGS
from design.errors import BadInput
from formal.canary import Canary
from formal.harness import kv
from formal.model import Model
from properties.dialect import Theorem
from properties.kv_bypass import KvBypass
from properties.kv_element import Tensor
from properties.kv_last_write import KvLastWrite
from properties.kv_row_done import KvRowDone
from properties.kv_single_writer import KvSingleWriter

SHIPPED = ("nano", "stories260k")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One theorem about one model, for several configurations.

    `depth` is the k of the induction (or the bound); `cover_depth` and `canary_depth` are how far
    the witnesses and the planted bug may lie from reset. Mode `bmc` must give its `reason`: why
    the bound is the theorem.
    """

    id: str
    family: str
    theorem: type[Theorem]
    harness: Callable[..., Model]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    configs: tuple[str, ...] = SHIPPED
    obligations: int
    canary: Canary
    engine: str = "yices"
    mode: Literal["prove", "bmc"] = "prove"
    reason: str = ""
    depth: int = 2
    cover_depth: int = 10
    canary_depth: int = 10
    timeout: int = 300

    def __post_init__(self):
        if (self.mode == "bmc") != bool(self.reason):
            raise ValueError(f"task {self.id}: a bounded proof, and no other, gives its reason")


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
DONE_TIED = _kv_canary(
    "done stays high once the row is full",
    "self.done.eq(row_open & row_full)",
    "self.done.eq(row_full)",
)

_BYPASS = dict(
    family="kv_cache", theorem=KvBypass, harness=kv.bypass, obligations=1, canary=NO_BYPASS
)
_LAST_WRITE = dict(family="kv_cache", theorem=KvLastWrite, harness=kv.last_write, obligations=3)
_KEY = dict(tensor=Tensor.KEY)
_VALUE = dict(tensor=Tensor.VALUE)
#: One element a word, as with a single lane a slot.
_NARROW = dict(k_word=1, v_word=1)

TASKS: tuple[Task, ...] = (
    Task(
        id="kv.single_writer",
        family="kv_cache",
        theorem=KvSingleWriter,
        harness=kv.single_writer,
        obligations=2,
        canary=EVERY_BANK,
    ),
    Task(id="kv.bypass.key", arguments=_KEY, **_BYPASS),
    Task(id="kv.bypass.value", arguments=_VALUE, **_BYPASS),
    Task(id="kv.last_write.key", arguments=_KEY, canary=KEY_ALIAS, **_LAST_WRITE),
    Task(id="kv.last_write.value", arguments=_VALUE, canary=VALUE_ALIAS, **_LAST_WRITE),
    Task(
        id="kv.last_write.key_narrow",
        arguments=_KEY | _NARROW,
        configs=("nano",),
        canary=EVERY_BANK,
        **_LAST_WRITE,
    ),
    Task(
        id="kv.last_write.value_narrow",
        arguments=_VALUE | _NARROW,
        configs=("nano",),
        canary=EVERY_BANK,
        **_LAST_WRITE,
    ),
    Task(
        id="kv.row_done",
        family="kv_cache",
        theorem=KvRowDone,
        harness=kv.row_done,
        obligations=6,
        canary=DONE_TIED,
        cover_depth=40,
        canary_depth=40,
    ),
)


def select(ids: tuple[str, ...], config: str | None) -> list[tuple[Task, str]]:
    """Tasks and configurations asked for; all when nothing is. An id may be a leading part
    (``kv.last_write``).

    Raises BadInput for an id or a configuration that selects nothing.
    """
    if config is not None and config not in CONFIGS:
        raise BadInput(f"--config {config!r} is not one of {', '.join(CONFIGS)}")
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
