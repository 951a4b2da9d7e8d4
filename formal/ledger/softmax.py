"""Suppositions of the theorems about scores, weights and attention, and their payers."""

from formal.ledger.audit import Line
from formal.ledger.chains import ARRAY, BEAT, PASS, chain, duty, line, paid

_POSITION = "schedule.positions.value: position_in_order"
LINES: tuple[Line, ...] = (
    line("softmax.*", "scores_in_order", duty("score_pass"),
        chain("schedule.positions.score: element_in_order", BEAT, *ARRAY, PASS,
            "dataflow.drain_order: scores_in_order",
            because="a score pass offers words in order, and each leaves the drain position by"
            " position")),
    line("softmax.*", "score_exists", duty("score_pass"),
        chain("composition.operands: scores", "dataflow.operands: score_shown",
            "schedule.positions.value: none_above",
            because="all scores of the pass are stored when a value enters, and only positions of"
            " the pass are read then")),
    line("softmax.sum_includes_the_maximum", "adds_what_is_out adds_in_turn", duty("score_pass"),
        chain(_POSITION, "schedule.positions.value: sums_begin_and_end", BEAT,
            because="a value pass offers each position once, in order, and adds the weight of the"
            " beat that leaves `Issue`")),
    line("softmax.sum_includes_the_maximum", "summed_first", duty("score_pass"),
        chain("composition.operands: weights_of_one_block", "schedule.layer: next_stage_starts",
            _POSITION, BEAT,
            because="the scores of the next block come after the values of this one")),
    line("softmax.sum_includes_the_maximum", "maximum_weighs_most", paid("tables.exp2")),
    line("softmax.*", "no_score_cleared enters_enabled weighed_first", duty("score_pass")),
    line("arith.reciprocals softmax.adds_up_to_one ranges.value_shift", "at_least_the_maximum",
        chain("softmax.sum_includes_the_maximum: at_least_the_maximum",
            "composition.operands: weight_sums_stay",
            because="the sum is complete when its reciprocal is looked up, and is stable"
            " meanwhile")),
    line("ranges.norm_exponent", "at_least_epsilon", paid("arith.square_sum")),
    line("ranges.value_shift", "block_after_block", duty("reciprocals")),
    line("arith.writeback_sum", "norm_exponent",
        chain("ranges.norm_exponent: norm_exponent", "composition.operands: exponent",
            because="a norm is complete before its exponent is used")),
    line("arith.writeback_sum", "value_shift",
        chain("ranges.value_shift: value_shift", "composition.operands: value_shift",
            because="a value sum comes only when the shift of its slot is known")),
)  # fmt: skip
