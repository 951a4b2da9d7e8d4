"""The registry of planted bugs beside those of the table: each with the property that catches it.

Every task plants one bug of its own (`Task.canary`). Those here once passed the whole suite, or
stand for a kind of mistake that one bug a task does not cover; each names a task and one of its
configurations, which must refuse it. `tests/formal/test_planted.py` plants them all.
"""

from dataclasses import dataclass

from formal.canary import Canary


@dataclass(frozen=True)
class Planted:
    """`bug` must be caught by the task `caught_by` at the configuration `config`."""

    bug: Canary
    caught_by: str
    config: str


def _leak(name: str, snippet: str, replacement: str, caught_by: str) -> Planted:
    return Planted(Canary(name, "design.decoder", snippet, replacement), caught_by, "nano")


#: The choice, and the end of an answer that nobody took yet, slow the decoder down.
_LEAKS = (
    _leak(
        "a logit waits while the choice so far would end the text",
        "drain.logits_ready.eq(argmax.ready)",
        "drain.logits_ready.eq(argmax.ready & ~tokens.o_token.payload.end)",
        "leaks.timing",
    ),
    _leak(
        "a logit waits while the first token of all is the best",
        "drain.logits_ready.eq(argmax.ready)",
        "drain.logits_ready.eq(argmax.ready & (argmax.best != 0))",
        "leaks.timing",
    ),
    # With this one the third token of nano takes 400, 402 or 403 cycles, as its weights will.
    _leak(
        "logits leave in one phase alone while the choice so far would end the text",
        "drain.logits_ready.eq(argmax.ready)",
        "drain.logits_ready.eq(\n                "
        "argmax.ready & ~(tokens.o_token.payload.end & drain.phase.any())\n            )",
        "leaks.timing",
    ),
    _leak(
        "cycles in which an answer that ends the text waits are not counted",
        "with m.If(tokens.busy):",
        "with m.If(tokens.busy & ~(tokens.o_token.valid & tokens.o_token.payload.end)):",
        "leaks.timing",
    ),
    _leak(
        "a row waits while the choice of the text before, kept over a reset, would end it",
        "drain.norm_ready.eq(rmsnorm.ready)",
        "drain.norm_ready.eq(rmsnorm.ready & ~tokens.o_token.payload.end)",
        "reset.forgets",
    ),
)

PLANTED: tuple[Planted, ...] = (*_LEAKS,)
