"""The proof tasks of the whole decoder, by a search of all its states."""

from collections.abc import Callable

from formal.canary import Canary
from formal.harness import composition
from formal.model import Model
from formal.task import NAMED, Task
from properties.composition import CacheKept, EveryTokenAnswered, NoClash
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


def _whole(
    name: str,
    theorem: type[Theorem],
    harness: Callable[..., Model],
    obligations: int,
    canary: Canary,
    **sizes: int,
) -> Task:
    return Task(
        id=f"composition.{name}",
        family="composition",
        theorem=theorem,
        harness=harness,
        arguments=sizes,
        # Half a million states; at the larger size there are too many.
        configs=("nano",),
        obligations=obligations,
        canary=canary,
        engine="explore",
        domain=NAMED,
    )


COMPOSITION: tuple[Task, ...] = (
    _whole("answered", EveryTokenAnswered, composition.answered, 1, FORGOTTEN_EARLY),
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
    _whole("cache_kept", CacheKept, composition.cache_kept, 8, ABOVE),
)
