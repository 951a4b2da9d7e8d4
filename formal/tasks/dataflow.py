"""The proof tasks of the way into the array and from it to the memories."""

from formal.harness import assembled, dataflow, memories, pairs
from formal.tasks.configs import BIASED_CONFIGS, UNBIASED_CONFIGS
from formal.tasks.task import BIASED, Task
from properties.activations import ReadWhileItFills
from properties.argmax import FirstOfTheGreatest, LogitOrder, LogitRoom
from properties.beat_order import BeatOrder
from properties.biases import BiasesKept
from properties.drain import DrainOrder, DrainTiming
from properties.operand_routing import OperandsRouted
from properties.operands import OperandsExist
from properties.pairs import PairsInPlace, UpMeetsSilu
from properties.pass_buffer import PassFair, PassOrder
from properties.wiring import UnitsConnected
from properties.writeback import ResultsInTime
from tools.planting import PlantedBug

OLD_BIAS = PlantedBug(
    "a bias that is read as it is written is the old one",
    "design.biases",
    "Biases.elaborate",
    "memory.read_port(transparent_for=(write,))",
    "memory.read_port()",
)
OVERTAKES = PlantedBug(
    "a logit that comes goes before those that wait",
    "design.argmax",
    "Argmax.elaborate",
    "Mux(queue.r_rdy, queue.r_data, logit.as_value())",
    "Mux(take, logit.as_value(), queue.r_data)",
)
NO_WAIT = PlantedBug(
    "a silu does not wait for its up",
    "design.swiglu",
    "SwiGlu.elaborate",
    "silu_here & ups.r_rdy & (self.phase == self.product_phase)",
    "silu_here & (self.phase == self.product_phase)",
)
WRONG_HALF = PlantedBug(
    "the first of a pair is told as the second",
    "design.rope",
    "Rope.elaborate",
    "first.d ^ 1",
    "first.d",
)
WRONG_OPERAND = PlantedBug(
    "the output projection multiplies the hidden vector",
    "design.issue",
    "Issue._operands",
    "self.attention",
    "self.hidden",
)
WRONG_VECTOR = PlantedBug(
    "the output projection multiplies the hidden vector",
    "design.decoder",
    "Decoder._connect_operands",
    "attention.rd_data",
    "hidden.rd_data",
)
TAKEN_TWICE = PlantedBug(
    "a beat stays at the entrance though it entered",
    "design.issue",
    "Issue.elaborate",
    "takes | (waits & ~enter)",
    "takes | waits",
)
TOO_EARLY = PlantedBug(
    "a beat enters with its element not counted yet",
    "design.issue",
    "Issue._operands_exist",
    "self.residual_filled > column",
    "self.residual_filled >= column",
)
OVERWRITTEN = PlantedBug(
    "a pass that comes takes the place of the one that waits",
    "design.pass_buffer",
    "PassBuffer.elaborate",
    "self.i.valid & ~full & ~self.o.ready",
    "self.i.valid & ~self.o.ready",
)
STUCK = PlantedBug(
    "the buffer stays full",
    "design.pass_buffer",
    "PassBuffer.elaborate",
    "holds | (full & ~self.o.ready)",
    "holds | full",
)

CAPTURED_EARLY = PlantedBug(
    "the next pass is captured over the last sum that waits",
    "design.drain",
    "Drain.elaborate",
    "leaves & is_last",
    "is_last",
)
OUT_OF_PHASE = PlantedBug(
    "odd rows leave with the even ones",
    "design.drain",
    "Drain._leaves.may_leave",
    "Mux(is_odd, turn, 0)",
    "0",
)


RESULT_LATE = PlantedBug(
    "a sum for the residual leaves as a product, too",
    "design.writeback",
    "Writeback._scale",
    "self.o.valid & ~any_of(asked.sink, DIRECT)",
    "self.o.valid",
)
NO_RESERVE = PlantedBug(
    "a logit on its way is not counted",
    "design.argmax",
    "Argmax.elaborate",
    "self.depth - self.on_their_way - 1",
    "self.depth - self.on_their_way",
)
LAST_OF_THE_GREATEST = PlantedBug(
    "the last index of the greatest is kept",
    "design.argmax",
    "Argmax.elaborate",
    "logit.value > greatest",
    "logit.value >= greatest",
)
OLD_ELEMENT = PlantedBug(
    "an element that is read as it is written is the old one",
    "design.activations",
    "ActivationBuffer.elaborate",
    "Mux(bypass, Value.cast(write.data), Value.cast(read.data))",
    "Value.cast(read.data)",
)


def _activations(name: str) -> Task:
    return Task(
        id=f"dataflow.activations.{name}",
        family="dataflow",
        theorem=ReadWhileItFills,
        harness=memories.activations,
        arguments={"vector": name},
        search={"depth": 16},
        obligations=6,
        bug=OLD_ELEMENT,
        cover_depth=50,
        bug_depth=50,
    )


#: Yices takes over 2 minutes for the sums of so many lanes.
_WORDS_OF_64_LANES = {"stories260k@64": {"engine": "bitwuzla"}}


def _wiring(suffix: str, configs: tuple[str, ...], **arguments: bool) -> Task:
    return Task(
        id=f"dataflow.wiring{suffix}",
        family="dataflow",
        theorem=UnitsConnected,
        harness=assembled.units_connected,
        arguments=arguments,
        configs=configs,
        obligations=22,
        bug=WRONG_VECTOR,
        depth=1,
        cover_depth=16,
        bug_depth=16,
    )


DATAFLOW: tuple[Task, ...] = (
    Task(
        id="dataflow.beat_order",
        family="dataflow",
        theorem=BeatOrder,
        harness=dataflow.beat_order,
        obligations=4,
        bug=TAKEN_TWICE,
    ),
    Task(
        id="dataflow.operands",
        family="dataflow",
        theorem=OperandsExist,
        harness=dataflow.operands_exist,
        obligations=11,
        bug=TOO_EARLY,
    ),
    Task(
        id="dataflow.routing",
        family="dataflow",
        theorem=OperandsRouted,
        harness=dataflow.operands_routed,
        search={"lane": -1},
        obligations=10,
        bug=WRONG_OPERAND,
        depth=1,
    ),
    _wiring("", ("nano@16",)),
    _wiring("_external", (), external=True),
    Task(
        id="dataflow.pass_order",
        family="dataflow",
        theorem=PassOrder,
        harness=dataflow.pass_order,
        obligations=4,
        bug=OVERWRITTEN,
        at=_WORDS_OF_64_LANES,
    ),
    Task(
        id="dataflow.pass_fair",
        family="dataflow",
        theorem=PassFair,
        harness=dataflow.pass_fair,
        obligations=1,
        bug=STUCK,
        engine="l2s",
    ),
    Task(
        id="dataflow.drain_order",
        family="dataflow",
        theorem=DrainOrder,
        harness=dataflow.drain_order,
        search={"bare": True},
        obligations=12,
        bug=CAPTURED_EARLY,
        at=_WORDS_OF_64_LANES,
    ),
    Task(
        id="dataflow.drain_timing",
        family="dataflow",
        theorem=DrainTiming,
        harness=dataflow.drain_timing,
        search={"bare": True},
        obligations=10,
        bug=OUT_OF_PHASE,
        cover_depth=40,
        bug_depth=40,
    ),
    Task(
        id="dataflow.results_in_time",
        family="dataflow",
        theorem=ResultsInTime,
        harness=memories.results_in_time,
        obligations=3,
        bug=RESULT_LATE,
        # From any state, what stands in the pipeline is gone after so many cycles.
        depth=7,
    ),
    Task(
        id="dataflow.up_meets_silu",
        family="dataflow",
        theorem=UpMeetsSilu,
        harness=pairs.up_meets_silu,
        obligations=10,
        bug=NO_WAIT,
        # The way of two gates that follow each other: what is on it keeps its phase.
        depth=12,
        cover_depth=24,
        bug_depth=24,
    ),
    Task(
        id="dataflow.pairs_in_place",
        family="dataflow",
        theorem=PairsInPlace,
        harness=pairs.pairs_in_place,
        obligations=9,
        bug=WRONG_HALF,
        # The way of a pair.
        depth=10,
        cover_depth=24,
        bug_depth=24,
    ),
    Task(
        id="dataflow.logit_room",
        family="dataflow",
        theorem=LogitRoom,
        harness=memories.logit_room,
        search={"bare": True},
        obligations=2,
        bug=NO_RESERVE,
        cover_depth=20,
        bug_depth=20,
    ),
    Task(
        id="dataflow.logit_order",
        family="dataflow",
        theorem=LogitOrder,
        harness=memories.logit_order,
        obligations=5,
        bug=OVERTAKES,
        cover_depth=12,
    ),
    Task(
        id="dataflow.argmax",
        family="dataflow",
        theorem=FirstOfTheGreatest,
        harness=memories.first_of_the_greatest,
        obligations=6,
        bug=LAST_OF_THE_GREATEST,
    ),
    Task(
        id="dataflow.biases",
        family="dataflow",
        theorem=BiasesKept,
        harness=memories.biases_kept,
        configs=BIASED_CONFIGS,
        unproved=dict.fromkeys(UNBIASED_CONFIGS, "no biases there"),
        obligations=2,
        bug=OLD_BIAS,
        domain=BIASED,
    ),
    _activations("residual"),
    _activations("attention"),
    _activations("hidden"),
)
