"""Suppositions of the theorems about stages and sequencers, and their payers."""

from formal.ledger.audit import Line
from formal.ledger.chains import chain, duty, line

LINES: tuple[Line, ...] = (
    *(
        line(
            f"done.pulse.{name} done.ranking.{name} done.fair.{name} done.fair.{name}_states",
            "start_when_idle *_answers start_after_done",
            duty(f"{name}_pulse"),
        )
        for name in ("projection", "score", "value", "layer", "token")
    ),
    line("done.*.projection done.fair.projection_states", "op_is_projection", duty("projection")),
    line("schedule.rows_left", "op_is_projection", duty("projection", earlier=True)),
    line("schedule.projection", "op_is_projection", duty("projection", earlier=True)),
    line("schedule.projection", "start_when_idle", duty("projection", earlier=True),
        chain("composition.duties: projection_pulse_*",
            because="a projection is running until its `done`", earlier=True)),
    *(
        pass_line
        for name in ("score", "value")
        for pass_line in (
            line(f"done.*.{name} done.fair.{name}_states", "pos_in_range", duty(name)),
            line(f"schedule.positions.{name}", "pos_in_range", duty(name, earlier=True)),
        )
    ),
    line("schedule.layer", "start_when_idle who_runs_answers", duty("layer")),
    line("schedule.token", "layer_answers", duty("token")),
    line("schedule.token", "best_stays",
        chain("composition.duties: best_stays", "dataflow.argmax: best_stays",
            because="no logit comes while an answer is offered; the best changes only after a"
            " logit")),
)  # fmt: skip
