"""Constructors of ledger lines, and links of chains that they share."""

from formal.ledger.audit import Alone, Claim, Line, Outside, Paid, Payment, Unpaid

#: From a stage to the array, to the pass buffer, to the drain, to the units.
BEAT = "dataflow.beat_order: as_it_came"
ARRAY = ("arith.array_sums: beat", "arith.array_order")
PASS = "dataflow.pass_order: unchanged"
SUMS = "dataflow.drain_order: in_order"
RESULT = "dataflow.results_in_time: the_same"
#: The order of the passes of a row, where positions are abstracted.
WORDS_IN_ORDER = (
    "schedule.layer: next_stage_starts",
    "schedule.layer: block_counted",
    "schedule.positions.score: element_in_order",
    "schedule.positions.score: done_after_the_last",
    "schedule.positions.value: position_in_order",
    "schedule.positions.value: done_after_the_last",
    BEAT,
)


def paid(task: str, name: str = "*", because: str = "") -> Paid:
    """One claim; ``*`` is the name of the supposition."""
    return Paid((Claim(task, name),), because)


def chain(*claims: str, because: str, earlier: bool = False) -> Paid:
    """Several claims, each as a task, or as ``task: name``."""
    parts = (claim.partition(": ") for claim in claims)
    return Paid(tuple(Claim(task, name) for task, _, name in parts), because, earlier)


def duty(unit: str, name: str = "*", *, earlier: bool = False) -> Paid:
    return Paid((Claim("composition.duties", f"{unit}_{name}"),), earlier=earlier)


#: Instead of claims about the whole decoder, where that is too large to be proved.
_TOO_LARGE = Unpaid("too many states of the whole decoder; nano@32 is proved", ("stories260k@64",))
_LARGE = Alone(
    "a component of a named decoder that is too large to be proved as a whole",
    ("stories15m", "stories110m", "smollm2_135m", "llama2_7b", "llama2_70b"),
)


def line(tasks: str, names: str, *payments: Payment) -> Line:
    claims = [
        claim for payment in payments if isinstance(payment, Paid) for claim in payment.claims
    ]
    whole = any(claim.task.startswith("composition.") for claim in claims)
    fallback = (_TOO_LARGE, _LARGE) if whole else ()
    return Line(tuple(tasks.split()), tuple(names.split()), payments + fallback)


MEMORY = Outside(
    "the memory behind the cache port, by the contract of `design.ports.kv_members`; the simulation"
    " checks its own memory against that contract, and fails on a violation"
)
THIN = Alone(
    "a decoder so small that its last stages end before a norm does; the abstraction of the"
    " cutpoint is paid for at the other sizes",
    ("thin",),
)
