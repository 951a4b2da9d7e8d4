"""Payers of the abstractions of cutpoints, and of excluded paths through cutpoints."""

from formal.ledger.audit import Line
from formal.ledger.chains import ARRAY, BEAT, PASS, RESULT, SUMS, THIN, chain, line, paid

LINES: tuple[Line, ...] = (
    line("leaks.timing leaks.timing_external reset.forgets reset.forgets_external", "cut_ended",
        paid("leaks.end_is_taken", "end_is_taken")),
    line("reset.forgets reset.forgets_external", "cut_last_logit",
        paid("reset.last_is_new", "")),
    line("composition.*", "stand_in_end",
        chain("schedule.token: end_of_text",
            because="an answer ends the text if the context is full, or depending on data; only"
            " the next token depends on that", earlier=True), THIN),
    line("composition.*", "stand_in_last",
        chain("schedule.projection: column_in_order", "schedule.projection: rows_of_the_pass",
            BEAT, *ARRAY, PASS, SUMS, RESULT, "dataflow.logit_order: as_it_came",
            because="rows of the classifier come in order, so no logit follows the last one; only"
            " the state of the next cycle depends on that", earlier=True), THIN),
    line("composition.*_loops", "stand_in_score_newest",
        paid("schedule.positions.score", "newest_is_newest", "free in every cycle")),
    line("composition.*_loops", "stand_in_value_first",
        paid("schedule.positions.value", "first_is_first")),
    line("composition.*_loops", "stand_in_value_last stand_in_value_newest",
        paid("schedule.positions.value", "sums_begin_and_end",
            "one bit for both, free in every cycle: they are equal")),
    line("composition.*_loops", "stand_in_rows_left",
        paid("schedule.rows_left", "one_stands_for_the_other")),
)  # fmt: skip
