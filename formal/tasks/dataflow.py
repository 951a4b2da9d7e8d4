"""The proof tasks of the data path into the array and from it to the memories."""

from functools import partial

from formal.harness import assembled, cordic, dataflow, memories, pairs
from formal.tasks.configs import BIASED_CONFIGS, CORE, PROOF_CONFIGS, UNBIASED_CONFIGS, WIDE
from formal.tasks.task import BIASED, Domain, Task
from properties.activations import ReadWhileItFills
from properties.argmax import FirstOfTheGreatest, LogitOrder, LogitRoom
from properties.beat_order import BeatOrder
from properties.biases import BiasesKept
from properties.cordic import AnglesComputed
from properties.drain import DrainOrder, DrainTiming
from properties.operand_routing import OperandsRouted
from properties.operands import OperandsExist
from properties.pairs import PairsInPlace, UpMeetsSilu
from properties.pass_buffer import PassFair, PassOrder
from properties.wiring import UnitsConnected
from properties.writeback import ResultsInTime
from spec.config import RopeBy
from tools.planting import PlantedBug

_task = partial(Task, family="dataflow")
#: Yices takes over 2 minutes for the sums of so many lanes.
_WORDS_OF_64_LANES = {"stories260k@64": {"engine": "bitwuzla"}}
_BY_CORDIC = Domain(
    "every shape, number of lanes and backing, RoPE by CORDIC",
    lambda config: config.numerics.rope_by is RopeBy.CORDIC,
)
_WITH_TABLE = [name for name in (*CORE, *WIDE) if not _BY_CORDIC.holds(PROOF_CONFIGS[name])]
_OLD_ELEMENT = PlantedBug(
    "an element that is read as it is written is the old one",
    "design.activations", "ActivationBuffer.elaborate",
    "Mux(bypass, Value.cast(write.data), Value.cast(read.data))", "Value.cast(read.data)",
)  # fmt: skip


def _wiring(suffix: str, configs: tuple[str, ...], **arguments: bool) -> Task:
    return _task(
        f"dataflow.wiring{suffix}", UnitsConnected, assembled.units_connected, arguments=arguments,
        configs=configs, obligations=22, depth=1, cover_depth=16, bug_depth=16, bug=PlantedBug(
            "the output projection multiplies the hidden vector",
            "design.decoder", "Decoder._connect_operands", "attention.rd_data", "hidden.rd_data"),
    )  # fmt: skip


DATAFLOW: tuple[Task, ...] = (
    _task("dataflow.beat_order", BeatOrder, dataflow.beat_order, obligations=4, bug=PlantedBug(
        "a beat stays at the entrance though it entered",
        "design.issue", "Issue.elaborate", "takes | (waits & ~enter)", "takes | waits")),
    _task("dataflow.operands", OperandsExist, dataflow.operands_exist, obligations=11,
        bug=PlantedBug(
            "a beat enters with its element not counted yet",
            "design.issue", "Issue._operands_exist", "self.residual_filled > column",
            "self.residual_filled >= column")),
    _task("dataflow.routing", OperandsRouted, dataflow.operands_routed, search={"lane": -1},
        obligations=10, depth=1, bug=PlantedBug(
            "the output projection multiplies the hidden vector",
            "design.issue", "Issue._operands", "self.attention", "self.hidden")),
    _wiring("", ("nano@16",)),
    _wiring("_external", (), external=True),
    _task("dataflow.pass_order", PassOrder, dataflow.pass_order, obligations=4,
        at=_WORDS_OF_64_LANES, bug=PlantedBug(
            "a pass that comes takes the place of the one that waits",
            "design.pass_buffer", "PassBuffer.elaborate", "self.i.valid & ~full & ~self.o.ready",
            "self.i.valid & ~self.o.ready")),
    _task("dataflow.pass_fair", PassFair, dataflow.pass_fair, obligations=1, engine="l2s",
        bug=PlantedBug(
            "the buffer stays full",
            "design.pass_buffer", "PassBuffer.elaborate", "holds | (full & ~self.o.ready)",
            "holds | full")),
    _task("dataflow.drain_order", DrainOrder, dataflow.drain_order, search={"bare": True},
        obligations=12, at=_WORDS_OF_64_LANES, bug=PlantedBug(
            "the next pass is captured over the last sum that waits",
            "design.drain", "Drain.elaborate", "leaves & is_last", "is_last")),
    _task("dataflow.drain_timing", DrainTiming, dataflow.drain_timing, search={"bare": True},
        obligations=10, cover_depth=40, bug_depth=40, bug=PlantedBug(
            "odd rows leave with the even ones",
            "design.drain", "Drain._leaves.may_leave", "Mux(is_odd, turn, 0)", "0")),
    # From any state, what is in the pipeline is gone after so many cycles.
    _task("dataflow.results_in_time", ResultsInTime, memories.results_in_time, obligations=3,
        depth=7, bug=PlantedBug(
            "a sum for the residual leaves as a product, too",
            "design.writeback", "Writeback._scale", "self.o.valid & ~any_of(asked.sink, DIRECT)",
            "self.o.valid")),
    # The latency of two gates in a row; what is in the pipeline keeps its phase.
    _task("dataflow.up_meets_silu", UpMeetsSilu, pairs.up_meets_silu, obligations=10, depth=12,
        cover_depth=24, bug_depth=24, bug=PlantedBug(
            "a silu does not wait for its up",
            "design.swiglu", "SwiGlu.elaborate",
            "silu_here & ups.r_rdy & (self.phase == self.product_phase)",
            "silu_here & (self.phase == self.product_phase)")),
    # The latency of a pair.
    _task("dataflow.pairs_in_place", PairsInPlace, pairs.pairs_in_place, obligations=9, depth=10,
        cover_depth=24, bug_depth=24, bug=PlantedBug(
            "the first of a pair is told as the second",
            "design.rope", "Rope.elaborate", "first.d ^ 1", "first.d")),
    _task("dataflow.logit_room", LogitRoom, memories.logit_room, search={"bare": True},
        obligations=2, cover_depth=20, bug_depth=20, bug=PlantedBug(
            "a logit on its way is not counted",
            "design.argmax", "Argmax.elaborate", "self.depth - self.on_their_way - 1",
            "self.depth - self.on_their_way")),
    _task("dataflow.logit_order", LogitOrder, memories.logit_order, obligations=5, cover_depth=12,
        bug=PlantedBug(
            "a logit that comes goes before those that wait",
            "design.argmax", "Argmax.elaborate",
            "Mux(queue.r_rdy, queue.r_data, logit.as_value())",
            "Mux(take, logit.as_value(), queue.r_data)")),
    _task("dataflow.argmax", FirstOfTheGreatest, memories.first_of_the_greatest, obligations=6,
        bug=PlantedBug(
            "the last index of the greatest is kept",
            "design.argmax", "Argmax.elaborate", "logit.value > greatest",
            "logit.value >= greatest")),
    _task("dataflow.biases", BiasesKept, memories.biases_kept, configs=BIASED_CONFIGS,
        unproved=dict.fromkeys(UNBIASED_CONFIGS, "no biases there"), obligations=2, domain=BIASED,
        bug=PlantedBug(
            "a bias that is read as it is written is the old one",
            "design.biases", "Biases.elaborate", "memory.read_port(transparent_for=(write,))",
            "memory.read_port()")),
    *(
        _task(f"dataflow.activations.{vector}", ReadWhileItFills, memories.activations,
            _OLD_ELEMENT, arguments={"vector": vector}, search={"depth": 16}, obligations=6,
            cover_depth=50, bug_depth=50)
        for vector in ("residual", "attention", "hidden")
    ),
    _task("rope.cordic", AnglesComputed, cordic.angles_computed, configs=("rope_cordic",),
        unproved=dict.fromkeys(_WITH_TABLE, "RoPE by table there"), domain=_BY_CORDIC,
        search={"brief": True}, obligations=6, cover_depth=30, bug=PlantedBug(
            "the first phase of a text goes on from the text before",
            "design.cordic", "CordicAngles.elaborate", "Mux(first, 0, old.data + step.data)",
            "old.data + step.data")),
)  # fmt: skip
