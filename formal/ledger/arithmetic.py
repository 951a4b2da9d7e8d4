"""Suppositions of the theorems about arithmetic units, and their payers."""

from formal.harness.requests import CLIENTS
from formal.ledger.audit import Line
from formal.ledger.chains import ARRAY, BEAT, PASS, SUMS, chain, duty, line, paid

LINES: tuple[Line, ...] = (
    line("arith.sum.softmax", "begins", duty("softmax")),
    line("arith.sum.squares", "begins no_more_terms term_in_bound", paid("arith.square_sum")),
    line("arith.square_sum", "rows_in_order updates_apart", duty("square_sum")),
    line("arith.norm", "at_least_epsilon sum_stays", paid("arith.square_sum")),
    *(
        line(f"arith.{unit}", "table_of_factors", paid(f"tables.factors.{unit}"))
        for unit in ("norm", "reciprocals", "swiglu")
    ),
    line("arith.multiply", "silent_*",
        chain(
            *(f"requests.silent.{client}" for client in CLIENTS),
            because="every client drives zeros on a port without a request")),
    line("arith.sum.softmax", "no_more_terms", duty("softmax"),
        chain("schedule.positions.value: position_in_order",
            "schedule.positions.value: sums_begin_and_end", BEAT,
            because="a value pass adds each position once, from the first on")),
    line("arith.sum.*", "begins", duty("array")),
    line("arith.sum.value", "no_more_terms",
        chain("schedule.positions.value: position_in_order",
            "schedule.positions.value: sums_begin_and_end", BEAT,
            because="a value pass adds each position once, from the first on")),
    line("arith.sum.*", "no_more_terms", duty("array")),
    line("arith.sum.*", "term_in_bound",
        chain("arith.lane", "dataflow.routing", "arith.lanes",
            because="each lane gets operands in the formats of its beat, whose products are"
            " within this bound")),
    line("arith.scores", "comes_in_range read_in_range", duty("scores")),
    line("arith.array_order", "stands_still_meanwhile", paid("dataflow.wiring", "stands_still")),
    line("arith.residual", "announced", paid("dataflow.results_in_time")),
    line("arith.residual", "row_exists", paid("composition.operands", "residual_in_turn")),
    line("arith.reciprocals", "block_after_block", duty("reciprocals")),
    line("arith.swiglu", "take_turns", paid("dataflow.up_meets_silu", "one_product")),
    line("arith.rope", "a_product_is_one", paid("arith.multiply", "")),
    line("arith.rope", "rows_of_the_matrix",
        chain("composition.duties: rope_in_order", "dataflow.pairs_in_place: element",
            because="no row follows the last one, and the element is that of the row")),
    line("arith.rope", "pairs_in_their_time",
        chain("composition.duties: rope_no_faster", "dataflow.pairs_in_place: no_fault",
            because="pairs come no faster than stated, so no two overlap")),
    line("arith.multiply", "one_at_a_time", paid("composition.no_clash", "scalars_without_fault")),
    line("arith.writeback_sum", "no_score", paid("dataflow.drain_order", "of_a_pass")),
    line("arith.writeback_sum arith.writeback_scale", "row_exists",
        chain("schedule.projection: rows_of_the_pass", BEAT, *ARRAY, PASS, SUMS,
            because="a pass has no rows beyond its matrix, and the drain emits no others")),
)  # fmt: skip
