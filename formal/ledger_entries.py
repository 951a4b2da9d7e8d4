"""The lines of the ledger: what each theorem supposes, and which claims pay for it.

Most are paid by `composition.duties`: the same condition, claimed of the whole decoder by
reachability. What counts through loops that `properties.loops` runs any number of times is paid at
those configurations by a chain: what a stage offers is claimed of the stage, and what carries it
on, unchanged and in order, of each link behind it.
"""

from formal.ledger import Alone, Claim, Line, Outside, Paid, Payment, Unpaid

#: From a stage to the array, to the buffer behind it, to the drain, to the units.
_BEAT = Claim("dataflow.beat_order", "as_it_came")
_ARRAY = (Claim("arith.array_sums", "beat"), Claim("arith.array_order"))
_PASS = Claim("dataflow.pass_order", "unchanged")
_SUMS = Claim("dataflow.drain_order", "in_order")
_RESULT = Claim("dataflow.results_in_time", "the_same")
#: Where positions are not counted: how the passes of a row follow one another.
_WORDS_IN_ORDER = (
    Claim("schedule.layer", "next_stage_starts"),
    Claim("schedule.layer", "block_counted"),
    Claim("schedule.positions.score", "element_in_order"),
    Claim("schedule.positions.score", "done_after_the_last"),
    Claim("schedule.positions.value", "position_in_order"),
    Claim("schedule.positions.value", "done_after_the_last"),
    _BEAT,
)


def _paid(task: str, name: str = "*", because: str = "") -> Paid:
    """One claim; ``*`` is the name of the supposition."""
    return Paid((Claim(task, name),), because)


def _chain(*claims: Claim, because: str, earlier: bool = False) -> Paid:
    return Paid(claims, because, earlier)


def _duty(unit: str, name: str = "*", *, earlier: bool = False) -> Paid:
    return Paid((Claim("composition.duties", f"{unit}_{name}"),), earlier=earlier)


#: What is paid by the whole decoder, where that is too large.
_TOO_LARGE = Unpaid("too many states of the whole decoder; nano@32 is proved", ("stories260k@64",))


def _line(tasks: str, names: str, *payments: Payment) -> Line:
    paid = [payment for payment in payments if isinstance(payment, Paid)]
    whole = any(claim.task.startswith("composition.") for each in paid for claim in each.claims)
    fallback = (_TOO_LARGE,) if whole else ()
    return Line(tuple(tasks.split()), tuple(names.split()), payments + fallback)


_MEMORY = Outside(
    "the memory behind the cache port: `design.ports.kv_members`; the simulation's memory is"
    " as unhelpful as it allows, and checked against it (`tests/sim`)"
)
_LARGE = Alone("a stage of a named decoder that is too large to be proved as a whole")
_SIZES = Alone(
    "a component in sizes that no decoder of the table has, under the contract of its ports"
)

_CACHE: tuple[Line, ...] = (
    _line(
        "kv.*_wide kv.*_odd kv.in_range done.*_folded done.*_blocks schedule.*_folded"
        " schedule.*_folded_wide schedule.*_blocks dataflow.*_wide",
        "*",
        _SIZES,
    ),
    _line(
        "kv.single_writer kv.bypass.* kv.last_write.* kv.naive kv.row_done",
        "one_write write_in_range read_in_range row_when_idle write_inside_row",
        _paid("composition.cache_kept"),
    ),
    _line("kv.row_done", "each_element_once", _paid("composition.cache_kept", "element_once")),
    _line("kv.layers kv.group.*", "start_enabled layer_in_range", _duty("cache")),
    _line("kv.queries", "write_in_range read_in_range", _duty("queries")),
    _line(
        "kv.external.* composition.*_external",
        "acknowledges_a_write delivers_what_was_asked shows_content",
        _MEMORY,
    ),
    _line(
        "kv.external.*",
        "row_when_stored",
        _chain(
            Claim("composition.cache_kept_external", "row_when_read"),
            Claim("kv.external.requests", "stored_before_read"),
            because="the words of the row before were read, and so it was stored",
            earlier=True,
        ),
        _chain(
            *_WORDS_IN_ORDER,
            Claim("kv.external.requests", "stored_before_read"),
            because="the next row is announced behind the last beat of this one, and so it was"
            " stored",
            earlier=True,
        ),
    ),
    _line(
        "kv.external.*",
        "row_when_read reads_in_order",
        _paid("composition.cache_kept_external"),
        _chain(
            *_WORDS_IN_ORDER,
            because="stages offer the words of a row in the order of its passes, and beats go"
            " through `Issue` in order",
        ),
    ),
    _line(
        "kv.external.*",
        "reads_what_is_claimed",
        _paid("composition.cache_kept_external"),
        _chain(
            Claim("dataflow.operands", "claims_its_word"),
            because="a beat claims its word as it enters, and reads it behind",
        ),
    ),
    _line("kv.external.*", "*", _paid("composition.cache_kept_external")),
)

_CONTROL: tuple[Line, ...] = (
    *(
        _line(
            f"done.pulse.{name} done.ranking.{name} done.fair.{name} done.fair.{name}_states",
            "start_when_idle *_answers start_after_done",
            _duty(f"{name}_pulse"),
        )
        for name in ("projection", "score", "value", "layer", "token")
    ),
    _line("done.*.projection done.fair.projection_states", "op_is_projection", _duty("projection")),
    _line("schedule.rows_left", "op_is_projection", _duty("projection", earlier=True)),
    _line(
        "schedule.projection",
        "start_when_idle op_is_projection",
        _duty("projection", earlier=True),
        _LARGE,
    ),
    *(
        line
        for name in ("score", "value")
        for line in (
            _line(f"done.*.{name} done.fair.{name}_states", "pos_in_range", _duty(name)),
            _line(f"schedule.positions.{name}", "pos_in_range", _duty(name, earlier=True)),
        )
    ),
    _line("schedule.layer", "start_when_idle who_runs_answers", _duty("layer")),
    _line("schedule.token", "layer_answers", _duty("token")),
    _line(
        "schedule.token",
        "best_stays",
        _chain(
            Claim("composition.duties", "best_stays"),
            Claim("dataflow.argmax", "best_stays"),
            because="no logit comes while an answer is offered; the best changes behind a logit",
        ),
    ),
)

_DATAFLOW: tuple[Line, ...] = (
    _line(
        "dataflow.drain_order dataflow.drain_timing",
        "row_of_a_pass",
        _duty("drain"),
        _chain(
            Claim("schedule.projection", "column_in_order"),
            _BEAT,
            *_ARRAY,
            _PASS,
            because="a projection offers passes that begin at a multiple of the lanes",
        ),
    ),
    _line("dataflow.drain_order dataflow.drain_timing", "*", _duty("drain")),
    _line("dataflow.up_meets_silu", "phase take_turns in_phase", _duty("swiglu")),
    _line(
        "dataflow.pairs_in_place",
        "position_exists",
        _duty("rope"),
        _chain(
            Claim("schedule.token", "text"),
            Claim("schedule.token", "begins"),
            because="behind the last position of the context the text has ended, and begins anew",
        ),
    ),
    _line("dataflow.pairs_in_place", "in_order no_faster begins_empty then_rows", _duty("rope")),
    _line("dataflow.logit_room", "left_when_ready", _duty("argmax_room")),
    _line(
        "dataflow.logit_order streams.stand.logits",
        "finds_room",
        _paid("dataflow.logit_room", "no_fault"),
    ),
    _line(
        "dataflow.argmax",
        "rows_in_order",
        _duty("argmax"),
        _chain(
            Claim("schedule.projection", "column_in_order"),
            Claim("schedule.projection", "rows_of_the_pass"),
            _BEAT,
            *_ARRAY,
            _PASS,
            _SUMS,
            _RESULT,
            because="the classifier's passes follow one another, each leaves the drain row by row,"
            " and the writeback as it came",
        ),
    ),
    _line("dataflow.activations.residual", "*", _duty("x")),
    _line("dataflow.activations.attention", "*", _duty("attention")),
    _line("dataflow.activations.hidden", "*", _duty("hidden")),
)

_ARITHMETIC: tuple[Line, ...] = (
    _line("arith.sum.softmax", "begins", _duty("softmax")),
    _line(
        "arith.sum.squares", "begins no_more_terms term_in_bound", _paid("arith.square_sum")
    ),
    _line("arith.square_sum", "rows_in_order updates_apart", _duty("square_sum")),
    _line("arith.norm", "at_least_epsilon sum_stays", _paid("arith.square_sum")),
    *(
        _line(f"arith.{unit}", "table_of_factors", _paid(f"tables.factors.{unit}"))
        for unit in ("norm", "reciprocals", "swiglu")
    ),
    _line(
        "arith.multiply",
        "silent_*",
        Paid(
            tuple(
                Claim(f"requests.silent.{client}")
                for client in ("writeback", "residual", "rmsnorm", "reciprocals", "rope", "swiglu")
            ),
            "every client leaves zeros on a port on which it asks for nothing",
        ),
    ),
    _line(
        "arith.sum.softmax",
        "no_more_terms",
        _duty("softmax"),
        _chain(
            Claim("schedule.positions.value", "position_in_order"),
            Claim("schedule.positions.value", "sums_begin_and_end"), _BEAT,
            because="a value pass adds up each position once, from the first",
        ),
    ),
    _line("arith.sum.*", "begins", _duty("array")),
    _line(
        "arith.sum.value",
        "no_more_terms",
        _chain(
            Claim("schedule.positions.value", "position_in_order"),
            Claim("schedule.positions.value", "sums_begin_and_end"), _BEAT,
            because="a value pass adds up each position once, from the first",
        ),
    ),
    _line("arith.sum.*", "no_more_terms", _duty("array")),
    _line(
        "arith.sum.*",
        "term_in_bound",
        _chain(
            Claim("arith.lane"), Claim("dataflow.routing"), Claim("arith.lanes"),
            because="each lane is given operands of the formats of its beat, whose products are"
            " within this bound",
        ),
    ),
    _line("arith.scores", "comes_in_range read_in_range", _duty("scores")),
    _line("arith.array_order", "stands_still_meanwhile", _paid("dataflow.wiring", "stands_still")),
    _line("arith.residual", "announced", _paid("dataflow.results_in_time")),
    _line("arith.residual", "row_exists", _paid("composition.operands", "residual_in_turn")),
    _line("arith.reciprocals", "block_after_block", _duty("reciprocals")),
    _line("arith.swiglu", "take_turns", _paid("dataflow.up_meets_silu", "one_product")),
    _line("arith.rope", "a_product_is_one", _paid("arith.multiply", "")),
    _line(
        "arith.rope",
        "rows_of_the_matrix",
        _chain(
            Claim("composition.duties", "rope_in_order"),
            Claim("dataflow.pairs_in_place", "element"),
            because="no row comes behind the last, and the element is that of the row",
        ),
    ),
    _line(
        "arith.rope",
        "pairs_in_their_time",
        _chain(
            Claim("composition.duties", "rope_no_faster"),
            Claim("dataflow.pairs_in_place", "no_fault"),
            because="pairs come no faster than told, and then none meets another",
        ),
    ),
    _line("arith.multiply", "one_at_a_time",
          _paid("composition.no_clash", "scalars_without_fault")),
    _line("arith.writeback_sum", "no_score", _paid("dataflow.drain_order", "of_a_pass")),
    _line(
        "arith.writeback_sum arith.writeback_scale",
        "row_exists",
        _chain(
            Claim("schedule.projection", "rows_of_the_pass"), _BEAT, *_ARRAY, _PASS, _SUMS,
            because="a pass has no rows beyond its matrix, and the drain gives no others away",
        ),
    ),
)  # fmt: skip

_POSITION = Claim("schedule.positions.value", "position_in_order")
_SOFTMAX: tuple[Line, ...] = (
    _line(
        "softmax.*",
        "scores_in_order",
        _duty("score_pass"),
        _chain(
            Claim("schedule.positions.score", "element_in_order"), _BEAT, *_ARRAY, _PASS,
            Claim("dataflow.drain_order", "scores_in_order"),
            because="a score pass offers word after word, and each leaves the drain position by"
            " position",
        ),
    ),
    _line(
        "softmax.*",
        "score_exists",
        _duty("score_pass"),
        _chain(
            Claim("composition.operands", "scores"),
            Claim("dataflow.operands", "score_shown"),
            Claim("schedule.positions.value", "none_above"),
            because="all scores of the pass are stored when a value enters, and what is read then"
            " is of a position of the pass",
        ),
    ),
    _line(
        "softmax.sum_includes_the_maximum",
        "adds_what_is_out adds_in_turn",
        _duty("score_pass"),
        _chain(
            _POSITION, Claim("schedule.positions.value", "sums_begin_and_end"), _BEAT,
            because="a value pass offers each position once, in order, and the weight that is added"
            " is that of the beat that leaves `Issue`",
        ),
    ),
    _line(
        "softmax.sum_includes_the_maximum",
        "summed_first",
        _duty("score_pass"),
        _chain(
            Claim("composition.operands", "weights_of_one_block"),
            Claim("schedule.layer", "next_stage_starts"), _POSITION, _BEAT,
            because="the scores of the next block come behind the values of this one",
        ),
    ),
    _line("softmax.sum_includes_the_maximum", "maximum_weighs_most", _paid("tables.exp2")),
    _line("softmax.*", "no_score_cleared enters_enabled weighed_first", _duty("score_pass")),
    _line(
        "arith.reciprocals softmax.adds_up_to_one ranges.value_shift",
        "at_least_the_maximum",
        _chain(
            Claim("softmax.sum_includes_the_maximum", "at_least_the_maximum"),
            Claim("composition.operands", "weight_sums_stay"),
            because="the sum is complete when its reciprocal is looked for, and stays meanwhile",
        ),
    ),
    _line("ranges.norm_exponent", "at_least_epsilon", _paid("arith.square_sum")),
    _line("ranges.value_shift", "block_after_block", _duty("reciprocals")),
    _line(
        "arith.writeback_sum",
        "norm_exponent",
        _chain(
            Claim("ranges.norm_exponent", "norm_exponent"),
            Claim("composition.operands", "exponent"),
            because="a norm was found before its exponent is used",
        ),
    ),
    _line(
        "arith.writeback_sum",
        "value_shift",
        _chain(
            Claim("ranges.value_shift", "value_shift"),
            Claim("composition.operands", "value_shift"),
            because="a value sum comes when the shift of its slot is there",
        ),
    ),
)  # fmt: skip

_CUTPOINTS: tuple[Line, ...] = (
    _line(
        "leaks.timing leaks.timing_external reset.forgets reset.forgets_external",
        "cut_ended",
        _paid("leaks.end_is_taken", "end_is_taken"),
    ),
    _line("reset.forgets reset.forgets_external", "cut_last_logit",
          Paid((Claim("reset.last_is_new"),))),
    _line(
        "composition.*",
        "stand_in_end",
        _chain(
            Claim("schedule.token", "end_of_text"),
            because="an answer ends the text if the context is full, or as data will have it; only"
            " the token behind it depends on that",
            earlier=True,
        ),
    ),
    _line(
        "composition.*",
        "stand_in_last",
        _chain(
            Claim("schedule.projection", "column_in_order"),
            Claim("schedule.projection", "rows_of_the_pass"), _BEAT, *_ARRAY, _PASS, _SUMS, _RESULT,
            Claim("dataflow.logit_order", "as_it_came"),
            because="rows of the classifier come in order, so behind the last no logit is due; only"
            " the state of the next cycle depends on that",
            earlier=True,
        ),
    ),
    _line("composition.*_loops", "stand_in_score_newest",
          _paid("schedule.positions.score", "newest_is_newest", "free in every cycle")),
    _line("composition.*_loops", "stand_in_value_first",
          _paid("schedule.positions.value", "first_is_first")),
    _line("composition.*_loops", "stand_in_value_last stand_in_value_newest",
          _paid("schedule.positions.value", "sums_begin_and_end",
                "one bit for both, free in every cycle: they are equal")),
    _line("composition.*_loops", "stand_in_rows_left",
          _paid("schedule.rows_left", "one_stands_for_the_other")),
)  # fmt: skip

LINES: tuple[Line, ...] = (*_CACHE, *_CONTROL, *_DATAFLOW, *_ARITHMETIC, *_SOFTMAX, *_CUTPOINTS)
