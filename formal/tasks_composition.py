"""The proof tasks of the whole decoder, by a search of all its states."""

from collections.abc import Callable
from typing import Any

from formal.canary import Canary
from formal.harness import composition
from formal.model import Model
from formal.task import NAMED, Task
from properties.composition import CacheKept, EveryTokenAnswered, ExternalCacheKept, NoClash
from properties.dialect import Theorem

FORGOTTEN_EARLY = Canary(
    "a stage that starts forgets what the last beat of the one before still waits for",
    "design.decoder",
    "clear.eq((starts | late) & issue.i.ready)",
    "clear.eq(starts | late)",
)
ALL_MULTIPLIED = Canary(
    "sums for the residual ask for a product, too",
    "design.writeback",
    """with m.If(valid):
            m.d.comb += ask(""",
    """with m.If(self.o_valid):
            m.d.comb += ask(""",
)
OUT_OF_TURN = Canary(
    "silu * up is asked for in the phase of another product",
    "design.swiglu",
    "self.phase == 1",
    "self.phase == 0",
)
ABOVE = Canary(
    "a value pass reads one position too many",
    "design.stages.value",
    "beat.last.eq(t == pos)",
    "beat.last.eq(t == pos + 1)",
)


#: What stories260k has more than this only repeats passes, layers and positions, by counters of
#: which other theorems speak at full size; with all of it there are too many states.
FEW_PASSES = {"layers": 2, "seq_len": 2, "vocab": 16, "hidden": 16}


def _whole(
    name: str,
    theorem: type[Theorem],
    harness: Callable[..., Model],
    obligations: int,
    canary: Canary,
    config: str = "nano",
    **changes: Any,
) -> Task:
    """A theorem on the decoder of `config`, with `changes` to its sizes, lanes or backing."""
    return Task(
        id=f"composition.{name}",
        family="composition",
        theorem=theorem,
        harness=harness,
        arguments=changes,
        configs=(config,),
        obligations=obligations,
        canary=canary,
        engine="explore",
        domain=NAMED,
    )


def _wide(name: str, *given: Any, **fewer: int) -> Task:
    """On the heads, widths and lanes of stories260k; `fewer` passes still of what is beside."""
    changes: dict[str, Any] = {"config": "stories260k", **FEW_PASSES, **fewer}
    return _whole(f"{name}_wide", *given, **changes)


def _external(name: str, *given: Any) -> Task:
    """With any memory that keeps its contract behind the cache port."""
    return _whole(f"{name}_external", *given, external=True, seq_len=2)


_ANSWERED = (EveryTokenAnswered, composition.answered, 1, FORGOTTEN_EARLY)
_CACHE_KEPT = (CacheKept, composition.cache_kept, 8, ABOVE)

COMPOSITION: tuple[Task, ...] = (
    _whole("answered", *_ANSWERED),
    _wide("answered", *_ANSWERED),
    _external("answered", *_ANSWERED),
    _whole("no_clash", NoClash, composition.no_clash, 16, ALL_MULTIPLIED),
    # On so few lanes one scalar multiplier does all, and blocks of heads take turns.
    _whole(
        "no_clash_turns",
        NoClash,
        composition.no_clash,
        14,
        OUT_OF_TURN,
        lanes=2,
        layers=1,
        seq_len=2,
    ),
    _wide("no_clash", NoClash, composition.no_clash, 14, ALL_MULTIPLIED),
    _external("no_clash", NoClash, composition.no_clash, 16, ALL_MULTIPLIED),
    _whole("cache_kept", *_CACHE_KEPT),
    # Classifier and feed-forward leave the cache alone.
    _wide("cache_kept", *_CACHE_KEPT, vocab=8, hidden=8),
    _external("cache_kept", ExternalCacheKept, composition.external_cache_kept, 12, ABOVE),
)
