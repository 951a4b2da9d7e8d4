"""The token loop of llama2.c, for any decoder with a `step` function."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from spec.shape import Shape
from tools.errors import BadInput

#: The result of a decoder's step, such as logits.
Result = TypeVar("Result")


def generate(
    step: Callable[[int], Result],
    prompt: Sequence[int],
    steps: int,
    choose: Callable[[Result], int],
    shape: Shape,
) -> Iterator[int]:
    """Yield the ids after ``prompt[0]``: the rest of the prompt, then chosen ones.

    `step` takes the token at the next position; `choose` picks the next token from its result, and
    is not called during the prompt. `step` is called at most `steps` times, so at most `steps` ids
    are yielded. The id that ends the text (`Shape.ends_text`) is not yielded. (llama2.c prints a
    newline after the text, which is not a token.) Raises :class:`BadInput` for an empty prompt.
    """
    if not prompt:
        raise BadInput("prompt is empty, needs at least one token")
    token = prompt[0]
    for position in range(1, steps + 1):
        result = step(token)
        forced = position < len(prompt)
        token = prompt[position] if forced else choose(result)
        if shape.ends_text(token, forced=forced):
            return
        yield token
