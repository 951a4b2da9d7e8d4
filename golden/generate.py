"""The token loop of llama2.c, for any decoder behind a `step` function."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from golden.sampler import Sampler
from spec.shape import Shape
from tools.errors import BadInput


def generate(
    step: Callable[[int], NDArray[np.floating]],
    prompt: Sequence[int],
    steps: int,
    sampler: Sampler,
    shape: Shape,
) -> Iterator[int]:
    """Yield the ids behind ``prompt[0]``: the rest of the prompt, then sampled ones.

    `step` takes the token at the next position and returns its logits (V,), which are not looked
    at while the prompt lasts; it is called at most `steps` times, so at most `steps` ids come out.
    The id that ends the text (`Shape.ends_text`) is not yielded. (llama2.c prints a newline behind
    the text, which is no token.) Raises :class:`BadInput` for an empty prompt.
    """
    if not prompt:
        raise BadInput("prompt is empty, needs at least one token")
    token = prompt[0]
    for position in range(1, steps + 1):
        logits = step(token)
        forced = position < len(prompt)
        token = prompt[position] if forced else sampler.sample(logits)
        if shape.ends_text(token, forced=forced):
            return
        yield token
