"""The ports that every stage has."""

from amaranth.lib import stream
from amaranth.lib.wiring import In, Member, Out

from design.beat import beat_layout
from spec.config import Config
from spec.derived import derive


def stage_members(config: Config, most: int) -> dict[str, Member]:
    """Ports of a stage of at most `most` beats.

    `start` : In(1)
        Begin; ignored unless idle.
    `done` : Out(1)
        One-cycle pulse after the last beat was taken. A new `start` may come with it.
    `o` : Out(stream)
        Beats, one a cycle.
    `remaining` : Out
        Beats still to be taken: falls with each, and is 0 when idle (the ranking function).
    """
    return {
        "start": In(1),
        "done": Out(1),
        "o": Out(stream.Signature(beat_layout(config))),
        "remaining": Out(range(most + 1)),
    }


def attention_members(config: Config) -> dict[str, Member]:
    """What a stage of the attention must know, sampled with `start`.

    `pos` : In(range(seq_len))
        The newest position.
    `block` : In(range(head_blocks))
        Which heads are in the slots.
    """
    return {
        "pos": In(range(config.shape.seq_len)),
        "block": In(range(derive(config).head_blocks)),
    }
