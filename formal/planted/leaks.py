"""The choice, and the end of an answer that nobody took yet, slow the decoder down."""

from formal.planted.bug import Planted, planted
from tools.planting import PlantedBug


def _waits(name: str, unless: str) -> Planted:
    """A logit waits, unless something holds that has nothing to do with it."""
    ready = "drain.logits_ready.eq(self.argmax.ready)"
    slow = f"drain.logits_ready.eq(self.argmax.ready & {unless})"
    bug = PlantedBug(name, "design.decoder", "Decoder._connect_results", ready, slow)
    return Planted(bug, "leaks.timing", "nano")


LEAKS = (
    _waits(
        "a logit waits while the choice so far would end the text",
        "~self.o_token.payload.end",
    ),
    _waits("a logit waits while the first token of all is the best", "(self.argmax.best != 0)"),
    # With this one the third token of nano takes 400, 402 or 403 cycles, as its weights will.
    _waits(
        "logits leave in one phase alone while the choice so far would end the text",
        "~(self.o_token.payload.end & drain.phase.any())",
    ),
    planted("nano", "leaks.timing",
        "cycles in which an answer that ends the text waits are not counted",
        "design.decoder", "Decoder._observe", "m.If(self.token_sequencer.busy)",
        "m.If(self.token_sequencer.busy & ~(self.o_token.valid & self.o_token.payload.end))"),
    planted("nano", "reset.forgets",
        "a row waits while the choice of the text before, kept over a reset, would end it",
        "design.decoder", "Decoder._connect_results", "drain.norm_ready.eq(rmsnorm.ready)",
        "drain.norm_ready.eq(rmsnorm.ready & ~self.o_token.payload.end)"),
)  # fmt: skip
