"""The choice, and the end of an answer that nobody took yet, slow the decoder down."""

from formal.canary import Canary
from formal.planted.bug import Planted


def _leak(name: str, snippet: str, replacement: str, caught_by: str) -> Planted:
    return Planted(Canary(name, "design.decoder", snippet, replacement), caught_by, "nano")


LEAKS = (
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
