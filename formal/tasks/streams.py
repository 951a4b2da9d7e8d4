"""The proof tasks of the rules that every stream keeps."""

from functools import partial

from formal.harness import stream_ports
from formal.tasks.configs import CORE
from formal.tasks.task import Task
from properties.stream_ports import OffersFirst, OffersStand
from tools.planting import PlantedBug

_task = partial(Task, family="streams")


def _moves_on(stage: str, component: str) -> PlantedBug:
    return PlantedBug(
        "a beat goes by that nobody took",
        f"design.stages.{stage}", f"{component}.elaborate", "self.o.ready", "1",
    )  # fmt: skip


def _first(suffix: str, configs: tuple[str, ...] = CORE, **arguments: bool) -> Task:
    return _task(
        f"streams.offers_first{suffix}", OffersFirst, stream_ports.offers_first,
        arguments=arguments, configs=configs, obligations=10, engine="wires", bug=PlantedBug(
            "a logit is offered only to who is ready",
            "design.argmax", "Argmax.elaborate",
            "queue.r_rdy | take", "(queue.r_rdy | take) & self.o_logits.ready"),
    )  # fmt: skip


STREAMS: tuple[Task, ...] = (
    _first(""),
    _first("_external", (), external=True),
    _task("streams.stand.score", OffersStand, stream_ports.score, _moves_on("score", "ScoreStage"),
        obligations=1),
    _task("streams.stand.value", OffersStand, stream_ports.value, _moves_on("value", "ValueStage"),
        obligations=1),
    _task("streams.stand.logits", OffersStand, stream_ports.logits, obligations=2, bug=PlantedBug(
        "a logit that is not taken at once is lost",
        "design.argmax", "Argmax.elaborate",
        "take & (queue.r_rdy | ~self.o_logits.ready)", "take & queue.r_rdy")),
)  # fmt: skip
