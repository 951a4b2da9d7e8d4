"""The proof tasks of the whole decoder, by explicit-state model checking."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from formal.harness import composition, duties
from formal.model import Model
from formal.tasks.configs import BIASED_CONFIGS, CORE, WIDE
from formal.tasks.control import ABOVE
from formal.tasks.task import NAMED, Task
from properties.composition import EveryTokenAnswered, NoClash
from properties.composition_cache import CacheKept, CacheKeptInLoops, ExternalCacheKept
from properties.dialect import Theorem
from properties.duties import DutiesKept
from properties.operands_written import OperandsWritten
from tools.planting import PlantedBug

FORGOTTEN_EARLY = PlantedBug(
    "a stage that starts forgets what the last beat of the one before still waits for",
    "design.decoder", "Decoder._connect_stages", "(starts | late) & issue.i.ready", "starts | late",
)  # fmt: skip
NO_RECIPROCAL = PlantedBug(
    "value sums wait for a reciprocal that is never told",
    "design.reciprocals", "Reciprocals.elaborate", "self.ready.eq(1)", "self.ready.eq(0)",
)  # fmt: skip
ALL_MULTIPLIED = PlantedBug(
    "sums for the residual ask for a product, too",
    "design.writeback", "Writeback._scale", "m.If(valid)", "m.If(self.o.valid)",
)  # fmt: skip
ANNOUNCED_TWICE = PlantedBug(
    "a row is announced again when its keys are read",
    "design.decoder", "Decoder._connect_stages", "self.cache.row_start.eq(starts_qkv)",
    "self.cache.row_start.eq(starts_qkv | starts_attention)",
)  # fmt: skip
NO_SCORES = PlantedBug(
    "a value does not wait for the scores",
    "design.decoder", "Decoder._connect_operands", "softmax.ready", "1",
)  # fmt: skip
OFF_PHASE = PlantedBug(
    "SwiGLU is a phase ahead of the drain",
    "design.decoder", "Decoder._connect_results", "drain.phase", "drain.phase + 1",
)  # fmt: skip

_STORIES = tuple(name for name in (*CORE, *WIDE) if name.startswith("stories260k"))
_OTHERS = tuple(name for name in (*CORE, *WIDE) if name not in _STORIES)


def _whole(
    name: str,
    theorem: type[Theorem],
    harness: Callable[..., Model],
    obligations: int,
    bug: PlantedBug,
    *,
    instead: str = "`composition.*_loops` instead",
    **changes: Any,
) -> Task:
    """A theorem on decoders of nano's size, with `changes` to their sizes or backing; `instead`
    says what is proved of stories260k."""
    too_many = f"19 million states for one layer at one position; {instead}"
    return Task(
        f"composition.{name}",
        theorem,
        harness,
        bug,
        family="composition",
        arguments=changes,
        configs=("nano", "nano@16"),
        unproved=dict.fromkeys(_STORIES, too_many),
        obligations=obligations,
        engine="explore",
        # Minutes, of a core for itself, where sizes are those of mha3.
        timeout=1200,
        confirm_timeout=300,
        domain=NAMED,
    )


#: With 64 lanes the states of `answered_loops` took 5.4 GB after 195 seconds of a core, and grew.
_TOO_MANY = {
    "stories260k@64": "over 5.4 GB of states; nano@32 has as many multipliers, and is proved"
}


def _loops(
    name: str, *given: Any, core: bool = False, beside: Mapping[str, str] = _TOO_MANY, **fewer: Any
) -> Task:
    """All of stories260k, in any context, with any number of passes of the classifier; or with
    `fewer` rows of a matrix. `beside` is what else it is not proved for."""
    return replace(
        _whole(f"{name}_loops", *given, loops=True, **fewer),
        configs=("stories260k",) if core else (),
        unconfirmed="certificate: 4.9 million states of `answered_loops` pass, in 390 busy seconds",
        unproved={**dict.fromkeys(_OTHERS, "without loops there: `composition.*`"), **beside},
    )


def _external(
    name: str,
    *given: Any,
    core: bool = False,
    besides: Mapping[str, str] = MappingProxyType({}),
    **sizes: Any,
) -> Task:
    """With any memory behind the cache port."""
    instead = "nothing is proved instead, stalls and latencies are fuzzed"
    task = _whole(f"{name}_external", *given, instead=instead, external=True, **sizes)
    configs = ("nano",) if core else ()
    return replace(task, configs=configs, unproved={**task.unproved, **besides})


def _biased(task: Task) -> Task:
    """With two obligations more where there are biases: that they are written, and in turn; or that
    what is written and what is read is a row."""
    more = {"obligations": task.obligations + 2}
    return replace(task, at={**task.at, **dict.fromkeys(BIASED_CONFIGS, more)})


_ANSWERED = (EveryTokenAnswered, composition.answered, 1, FORGOTTEN_EARLY)
_CACHE_KEPT = (CacheKept, composition.cache_kept, 8, ABOVE)

_OPERANDS = (OperandsWritten, duties.operands_written)
_DUTIES = (DutiesKept, duties.duties_kept)
_NO_CLASH = (NoClash, composition.no_clash, 14)

#: Each takes a minute of a core. In every run are those on which others rest (`formal.ledger`): of
#: stories260k and of caches outside, `duties` and `cache_kept`; ``prove --all`` asks the rest.
COMPOSITION: tuple[Task, ...] = (
    _whole("answered", *_ANSWERED),
    # A bug that keeps something from ever happening takes all states: not all of these again.
    _loops("answered", *_ANSWERED[:-1], NO_RECIPROCAL),
    # A memory that answers has many more states than any memory: two positions. At mha3 5.2 GB
    # after 213 seconds of a core.
    _external("answered", *_ANSWERED, seq_len=2,
        besides={"mha3": "over 5.2 GB of states; mqa3, as odd, is proved"}),
    _whole("no_clash", *_NO_CLASH, ALL_MULTIPLIED),
    _loops("no_clash", *_NO_CLASH, ALL_MULTIPLIED),
    _external("no_clash", *_NO_CLASH[:-1], 13, ALL_MULTIPLIED),
    _whole("cache_kept", *_CACHE_KEPT),
    # Classifier and feed-forward leave the cache alone.
    _loops("cache_kept", CacheKeptInLoops, composition.cache_kept, 8, ANNOUNCED_TWICE,
        beside={}, vocab=8, hidden=8),
    _biased(replace(
        _whole("operands", *_OPERANDS, 18, NO_SCORES), configs=("nano", "nano@16", "thin"))),
    _loops("operands", *_OPERANDS, 17, NO_SCORES),
    _biased(_external("operands", *_OPERANDS, 18, NO_SCORES)),
    _biased(_whole("duties", *_DUTIES, 79, OFF_PHASE)),
    _loops("duties", *_DUTIES, 69, OFF_PHASE, core=True),
    _biased(_external("duties", *_DUTIES, 77, OFF_PHASE, core=True)),
    _external("cache_kept", ExternalCacheKept, composition.external_cache_kept, 12,
        ANNOUNCED_TWICE, core=True),
)  # fmt: skip
