"""Suppositions of the theorems about the data flow to and from the array, and their payers."""

from formal.ledger.audit import Line
from formal.ledger.chains import ARRAY, BEAT, PASS, RESULT, SUMS, chain, duty, line, paid

LINES: tuple[Line, ...] = (
    line("dataflow.drain_order dataflow.drain_timing", "row_of_a_pass", duty("drain"),
        chain("schedule.projection: column_in_order", BEAT, *ARRAY, PASS,
            because="a projection offers passes that begin at a multiple of the lanes")),
    line("dataflow.drain_order dataflow.drain_timing", "*", duty("drain")),
    line("dataflow.up_meets_silu", "phase take_turns in_phase", duty("swiglu")),
    line("dataflow.pairs_in_place", "position_exists", duty("rope"),
        chain("schedule.token: text", "schedule.token: begins",
            because="after the last position of the context the text ends, and a new one begins")),
    line("dataflow.pairs_in_place", "in_order no_faster begins_empty then_rows", duty("rope")),
    line("rope.cordic", "*", duty("rope")),
    line("dataflow.logit_room", "left_when_ready", duty("argmax_room")),
    line("dataflow.logit_order streams.stand.logits", "finds_room",
        paid("dataflow.logit_room", "no_fault")),
    line("dataflow.argmax", "rows_in_order", duty("argmax"),
        chain("schedule.projection: column_in_order", "schedule.projection: rows_of_the_pass",
            BEAT, *ARRAY, PASS, SUMS, RESULT,
            because="the classifier's passes are in order, each leaves the drain row by row, and"
            " the writeback unchanged")),
    # Only with biases, where the whole decoder is small enough.
    Line(("dataflow.biases",), ("write_in_range", "read_in_range"), (duty("biases"),)),
    line("dataflow.activations.residual", "*", duty("x")),
    line("dataflow.activations.attention", "*", duty("attention")),
    line("dataflow.activations.hidden", "*", duty("hidden")),
)  # fmt: skip
