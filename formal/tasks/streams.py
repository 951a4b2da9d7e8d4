"""The proof tasks of the rules that every stream keeps."""

from collections.abc import Callable

from formal.harness import stream_ports
from formal.model import Model
from formal.tasks.configs import CORE
from formal.tasks.task import Task
from properties.stream_ports import OffersFirst, OffersStand
from tools.planting import PlantedBug

ASKS_FIRST = PlantedBug(
    "a logit is offered only to who is ready",
    "design.argmax",
    "Argmax.elaborate",
    "queue.r_rdy | take",
    "(queue.r_rdy | take) & self.o_logits.ready",
)
NOT_KEPT = PlantedBug(
    "a logit that is not taken at once is lost",
    "design.argmax",
    "Argmax.elaborate",
    "take & (queue.r_rdy | ~self.o_logits.ready)",
    "take & queue.r_rdy",
)


def _moves_on(stage: str, component: str) -> PlantedBug:
    return PlantedBug(
        "a beat goes by that nobody took",
        f"design.stages.{stage}",
        f"{component}.elaborate",
        "self.o.ready",
        "1",
    )


SCORE_MOVES_ON = _moves_on("score", "ScoreStage")
VALUE_MOVES_ON = _moves_on("value", "ValueStage")


def _first(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return Task(
        id=f"streams.offers_first{suffix}",
        family="streams",
        theorem=OffersFirst,
        harness=stream_ports.offers_first,
        arguments=arguments,
        configs=configs,
        obligations=10,
        bug=ASKS_FIRST,
        engine="wires",
    )


def _stand(name: str, harness: Callable[..., Model], bug: PlantedBug, obligations: int = 1) -> Task:
    return Task(
        id=f"streams.stand.{name}",
        family="streams",
        theorem=OffersStand,
        harness=harness,
        obligations=obligations,
        bug=bug,
    )


STREAMS: tuple[Task, ...] = (
    _first(""),
    _first("_external", (), external=True),
    _stand("score", stream_ports.score, SCORE_MOVES_ON),
    _stand("value", stream_ports.value, VALUE_MOVES_ON),
    _stand("logits", stream_ports.logits, NOT_KEPT, obligations=2),
)
