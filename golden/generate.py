"""The token loop of llama2.c, for any decoder behind a `step` function."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from spec.shape import Shape
from tools.errors import BadInput

#: What a decoder answers to a token: its logits, say.
Answer = TypeVar("Answer")


def generate(
    step: Callable[[int], Answer],
    prompt: Sequence[int],
    steps: int,
    choose: Callable[[Answer], int],
    shape: Shape,
) -> Iterator[int]:
    """Yield the ids behind ``prompt[0]``: the rest of the prompt, then chosen ones.

    `step` takes the token at the next position; `choose` makes the next one of its answer, and is
    not asked while the prompt lasts. At most `steps` tokens are taken, so at most `steps` ids come
    out. The id that ends the text (`Shape.ends_text`) is not yielded. (llama2.c prints a newline
    behind the text, which is no token.) Raises :class:`BadInput` for an empty prompt.
    """
    if not prompt:
        raise BadInput("prompt is empty, needs at least one token")
    token = prompt[0]
    for position in range(1, steps + 1):
        answer = step(token)
        forced = position < len(prompt)
        token = prompt[position] if forced else choose(answer)
        if shape.ends_text(token, forced=forced):
            return
        yield token
