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
from formal.harness import assembled, kv, kv_external, stages
from formal.model import Model
from properties.dialect import Theorem
from properties.done_pulse import DonePulse, DonePulseFair, DonePulseRanking
from properties.kv_assembled import KvAssembledWriter
from properties.kv_bypass import KvBypass
from properties.kv_element import Tensor
from properties.kv_external_buffer import KvExternalBuffer
from properties.kv_external_last_write import KvExternalLastWrite
from properties.kv_external_requests import KvExternalRequests
from properties.kv_external_row import KvExternalAnswered, KvExternalRowDone
from properties.kv_last_write import KvLastWrite
from properties.kv_row_done import KvRowDone
from properties.kv_single_writer import KvSingleWriter

SHIPPED = ("nano", "stories260k")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One theorem about one model, for several configurations.

    `depth` is the k of the induction (or the bound); `cover_depth` and `canary_depth` are how far
    the witnesses and the planted bug may lie from reset. `search` are further arguments of the
    harness for these two, which may narrow what comes in: what is found there is found. Mode
    `bmc` must give its `reason`: why the bound is the theorem.
    """

    id: str
    family: str
    theorem: type[Theorem]
    harness: Callable[..., Model]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
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
NEWEST_UNAWAITED = Canary(
    "keys of the newest row are asked for before they are stored",
    "design.kv_reader",
    "Mux(values, self.v_ready, self.k_ready)",
    "Mux(values, self.v_ready, 1)",
)
VALUE_AMONG_KEYS = Canary(
    "a value is stored where a key belongs",
    "design.kv_writer",
    "Mux(value, first_value + word, first_key + d)",
    "(first_key + d)",
)
TWO_ELEMENTS = Canary(
    "a write stores the first element of its beat as well",
    "design.kv_writer",
    "payload.strobe.eq(1 << Cat(place, head[:head_bits]))",
    "payload.strobe.eq(1 << Cat(place, head[:head_bits]) | 1)",
)
LOST_BEAT = Canary(
    "a word that comes while another is read is overwritten by the next",
    "design.kv_reader",
    "write.addr.eq(write.addr + write.en)",
    "write.addr.eq(write.addr + (write.en & ~read.en))",
)
READY_WHEN_SENT = Canary(
    "a row is stored when the memory took its writes",
    "design.kv_writer",
    "stored.eq(stored + self.i_written)",
    "stored.eq(stored + taken)",
)
NEVER_VALUES = Canary(
    "the value words of the last run are never asked for",
    "design.kv_reader",
    "with m.Elif(word != derived.v_words - 1):",
    "with m.Elif(word + 1 < derived.v_words - 1):",
)
EVERY_LAYER = Canary(
    "a key is written in every layer",
    "design.cache",
    "owner.wr_en_k.eq(self.wr_en_k & writes)",
    "owner.wr_en_k.eq(self.wr_en_k)",
)
WRONG_LANE = _kv_canary(
    "a write goes to every lane of its word",
    "lane_en.eq(wr_en << wr_lane)",
    "lane_en.eq(wr_en.replicate(lanes))",
)
DONE_EARLY = _kv_canary(
    "a row is done as soon as it is announced",
    "self.done.eq(row_open & row_full)",
    "self.done.eq(row_open)",
)

#: Several elements a word, as stories260k has with 64 lanes; with its 8 lanes it has one.
_WIDE = {"k_word": 8, "v_word": 8}


#: The external cache: as shipped, with several blocks of heads, with several elements a word.
_EXTERNAL: tuple[tuple[str, tuple[str, ...], dict[str, int]], ...] = (
    ("", SHIPPED, {}),
    ("_blocks", ("nano",), {"lanes": 2}),
    ("_wide", ("stories260k",), {"lanes": 64}),
)


def _bypass(id: str, tensor: Tensor, configs: tuple[str, ...] = SHIPPED, **words: int) -> Task:
    return Task(
        id=id,
        family="kv_cache",
        theorem=KvBypass,
        harness=kv.bypass,
        arguments={"tensor": tensor, **words},
        configs=configs,
        obligations=1,
        canary=NO_BYPASS,
    )


def _last_write(
    id: str, tensor: Tensor, canary: Canary, configs: tuple[str, ...] = SHIPPED, **words: int
) -> Task:
    return Task(
        id=id,
        family="kv_cache",
        theorem=KvLastWrite,
        harness=kv.last_write,
        arguments={"tensor": tensor, **words},
        configs=configs,
        obligations=3,
        canary=canary,
    )


def _external(
    name: str,
    theorem: type[Theorem],
    harness: Callable[..., Model],
    claims: int,
    canary: Canary,
    configs: tuple[str, ...] = SHIPPED,
    **arguments: Any,
) -> Task:
    """A theorem of `claims` claims on the external cache, beside those on its inside.

    The planted bug is looked for without the latter: it must break the theorem itself.
    """
    return Task(
        id=f"kv.external.{name}",
        family="kv_external",
        theorem=theorem,
        harness=harness,
        arguments=arguments,
        search={"bare": True},
        configs=configs,
        obligations=claims + 8,
        canary=canary,
        cover_depth=60,
        canary_depth=40,
    )


def _handshake(device: str, module: str, claims: int) -> tuple[Task, Task, Task]:
    """The three theorems on the start and done of `device`; `claims` of them on its inside."""
    arguments = {"device": device}
    tied = Canary("done, once up, stays up", module, "self.done.eq(0)", "self.done.eq(self.done)")
    lost = Canary("the last done is lost", module, "self.done.eq(1)", "self.done.eq(0)")
    children = 3 if device == "layer" else 0
    return (
        Task(
            id=f"done.pulse.{device}",
            family="control",
            theorem=DonePulse,
            harness=stages.done_pulse,
            arguments=arguments,
            obligations=2 + children + claims,
            canary=tied,
            cover_depth=60,
            canary_depth=60,
        ),
        Task(
            id=f"done.ranking.{device}",
            family="control",
            theorem=DonePulseRanking,
            harness=stages.done_ranking,
            arguments=arguments,
            obligations=4 + claims,
            canary=lost,
            canary_depth=60,
        ),
        Task(
            id=f"done.fair.{device}",
            family="control",
            theorem=DonePulseFair,
            harness=stages.done_fair,
            arguments=arguments,
            # Without a ranking PDR counts through every counter: what holds at the shipped size
            # is told by `done.ranking`, this is the independent word on the small one.
            configs=SHIPPED if device == "layer" else ("nano",),
            obligations=1,
            canary=lost,
            engine="l2s",
        ),
    )


TASKS: tuple[Task, ...] = (
    Task(
        id="kv.single_writer",
        family="kv_cache",
        theorem=KvSingleWriter,
        harness=kv.single_writer,
        obligations=2,
        canary=EVERY_BANK,
    ),
    Task(
        id="kv.assembled_writer",
        family="kv_cache",
        theorem=KvAssembledWriter,
        harness=assembled.single_writer,
        search={"steered": True},
        # At the larger size the first key is written too many cycles after reset for a solver.
        configs=("nano",),
        obligations=2,
        canary=EVERY_LAYER,
        cover_depth=100,
        canary_depth=100,
    ),
    _bypass("kv.bypass.key", Tensor.KEY),
    _bypass("kv.bypass.value", Tensor.VALUE),
    _last_write("kv.last_write.key", Tensor.KEY, KEY_ALIAS),
    _last_write("kv.last_write.value", Tensor.VALUE, VALUE_ALIAS),
    _last_write("kv.last_write.key_wide", Tensor.KEY, WRONG_LANE, ("stories260k",), **_WIDE),
    _last_write("kv.last_write.value_wide", Tensor.VALUE, WRONG_LANE, ("stories260k",), **_WIDE),
    _bypass("kv.bypass.key_wide", Tensor.KEY, ("stories260k",), **_WIDE),
    _bypass("kv.bypass.value_wide", Tensor.VALUE, ("stories260k",), **_WIDE),
    Task(
        id="kv.row_done",
        family="kv_cache",
        theorem=KvRowDone,
        harness=kv.row_done,
        obligations=6,
        canary=DONE_EARLY,
        cover_depth=40,
    ),
    *(
        _external(
            f"last_write.{tensor.name.lower()}{suffix}",
            KvExternalLastWrite,
            kv_external.last_write,
            13,
            canary,
            configs,
            tensor=tensor,
            **lanes,
        )
        for tensor, canary in ((Tensor.KEY, NEWEST_UNAWAITED), (Tensor.VALUE, VALUE_AMONG_KEYS))
        for suffix, configs, lanes in _EXTERNAL
    ),
    _external("requests", KvExternalRequests, kv_external.requests, 6, TWO_ELEMENTS),
    _external("buffer", KvExternalBuffer, kv_external.buffer, 6, LOST_BEAT),
    _external("row_done", KvExternalRowDone, kv_external.row_done, 6, READY_WHEN_SENT),
    _external("answered", KvExternalAnswered, kv_external.answered, 4, NEVER_VALUES),
    *_handshake("projection", "design.stages.projection", 6),
    *_handshake("score", "design.stages.score", 4),
    *_handshake("value", "design.stages.value", 5),
    *_handshake("layer", "design.sequencer", 6),
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
