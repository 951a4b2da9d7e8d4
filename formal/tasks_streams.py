"""The proof tasks of the rules that every stream keeps."""

from collections.abc import Callable

from formal.canary import Canary
from formal.configs import CORE
from formal.harness import stream_ports
from formal.model import Model
from formal.task import Task
from properties.stream_ports import OffersFirst, OffersStand

ASKS_FIRST = Canary(
    "a logit is offered only to who is ready",
    "design.argmax",
    "self.o_logits.valid.eq(queue.r_rdy | take)",
    "self.o_logits.valid.eq((queue.r_rdy | take) & self.o_logits.ready)",
)
NOT_KEPT = Canary(
    "a logit that is not taken at once is lost",
    "design.argmax",
    "take & (queue.r_rdy | ~self.o_logits.ready)",
    "take & queue.r_rdy",
)


def _moves_on(stage: str, old: str, new: str) -> Canary:
    return Canary("a beat goes by that nobody took", f"design.stages.{stage}", old, new)


SCORE_MOVES_ON = _moves_on(
    "score",
    """with m.If(self.o.ready):
                    m.d.sync += [d.eq(d + 1)""",
    """with m.If(1):
                    m.d.sync += [d.eq(d + 1)""",
)
VALUE_MOVES_ON = _moves_on(
    "value",
    """with m.If(self.o.ready):
                    m.d.sync += [t.eq(t + 1)""",
    """with m.If(1):
                    m.d.sync += [t.eq(t + 1)""",
)


def _first(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return Task(
        id=f"streams.offers_first{suffix}",
        family="streams",
        theorem=OffersFirst,
        harness=stream_ports.offers_first,
        arguments=arguments,
        configs=configs,
        obligations=10,
        canary=ASKS_FIRST,
        engine="wires",
    )


def _stand(name: str, harness: Callable[..., Model], canary: Canary, obligations: int = 1) -> Task:
    return Task(
        id=f"streams.stand.{name}",
        family="streams",
        theorem=OffersStand,
        harness=harness,
        obligations=obligations,
        canary=canary,
    )


STREAMS: tuple[Task, ...] = (
    _first(""),
    _first("_external", (), external=True),
    _stand("score", stream_ports.score, SCORE_MOVES_ON),
    _stand("value", stream_ports.value, VALUE_MOVES_ON),
    _stand("logits", stream_ports.logits, NOT_KEPT, obligations=2),
)
