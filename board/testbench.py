"""A Verilog-2005 testbench that compares an exported core with the golden decoder's ids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from board.description import hash_words
from board.templates import template
from design.export import TOP
from design.ports import (
    fetch_layout,
    kv_read_layout,
    kv_words_layout,
    kv_write_layout,
    logit_layout,
    token_in_layout,
    token_out_layout,
)
from golden.fast.decoder import FixedDecoder
from golden.quantise import Model
from spec.config import CacheBacking, Config, config_hash
from spec.kv_layout import kv_layout
from spec.schedule import image

#: Cycles without an answer to a token after which the testbench fails.
PATIENCE = 100_000_000


@dataclass(frozen=True)
class Turn:
    """One token of the run, and golden's answer."""

    id: int
    first: bool
    sample: bool
    answer: int
    end: bool


def expected_turns(model: Model, prompt: Sequence[int], tokens: int) -> list[Turn]:
    """The greedy text after `prompt`: at most `tokens` tokens, fewer if the text ends."""
    config, decoder = model.config, FixedDecoder(model)
    turns: list[Turn] = []
    token = prompt[0]
    for position in range(min(tokens, config.shape.seq_len)):
        sample = position >= len(prompt) - 1
        logits = decoder.step(np.array([token]))[0]
        answer = int(logits.argmax()) if sample else token
        full = position == config.shape.seq_len - 1
        end = full or (sample and config.shape.ends_text(answer, forced=False))
        turns.append(Turn(token, position == 0, sample, answer, end))
        if end:
            break
        token = answer if sample else prompt[position + 1]
    return turns


def testbench(config: Config, turns: Sequence[Turn], piece: Callable[[int], bytes]) -> str:
    """The text of ``testbench.v``; it prints ``piece(token)`` for each token."""
    layouts = {
        "i_token": token_in_layout(config),
        "o_token": token_out_layout(config),
        "o_fetch": fetch_layout(config),
        "o_logits": logit_layout(config),
        "o_kv_read": kv_read_layout(config),
        "o_kv_write": kv_write_layout(config),
    }
    fields = {
        stream: {
            str(name): f"[{field.offset + field.width - 1}:{field.offset}]"
            for name, field in layout
            if field.width
        }
        for stream, layout in layouts.items()
    }
    return template("testbench.v.j2").render(
        config=config,
        hash=config_hash(config),
        hash_words=len(hash_words(config)),
        top=TOP,
        turns=turns,
        texts=_texts(turns, piece),
        fields=fields,
        widths={stream: layout.size for stream, layout in layouts.items()},
        beat_bits=config.geometry.lanes * config.numerics.weight_bits,
        beats=image(config).beats,
        external=config.geometry.cache is CacheBacking.EXTERNAL,
        kv=kv_layout(config),
        kv_bits=kv_words_layout(config).size,
        id_bits=max(1, (config.shape.vocab - 1).bit_length()),
        patience=PATIENCE,
    )


def _texts(turns: Sequence[Turn], piece: Callable[[int], bytes]) -> dict[int, str]:
    """The text printed at each answer, as a Verilog string."""
    texts, begin = {}, piece(turns[0].id)
    for number, turn in enumerate(turns):
        following = turns[number + 1].id if number + 1 < len(turns) else turn.answer
        if not turn.end:
            texts[number] = _literal(begin + piece(following))
            begin = b""
    return texts


def _literal(text: bytes) -> str:
    """`text` inside the quotes of $write: octal for special characters, %% for a percent sign."""
    plain = {*range(32, 127)} - {*b'"\\%'}
    return "".join(
        chr(byte) if byte in plain else "%%" if byte == ord("%") else f"\\{byte:03o}"
        for byte in text
    )
