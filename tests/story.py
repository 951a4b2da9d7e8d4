"""Models with a known text: the repository's own, and stories260K if its folder exists."""

import re
from dataclasses import dataclass
from pathlib import Path

from golden.checkpoints import DEFAULT
from tools import evidence

#: The folder of stories260K.bin and tok512.bin, or None.
DATA = evidence.data_folder()


@dataclass(frozen=True)
class Known:
    """A model and its greedy `text` within `steps`; `first` are its first ids, BOS included."""

    name: str
    model: Path
    text: bytes
    steps: int
    first: tuple[int, ...]


def _card() -> bytes:
    """The story in the model card of the repository's own model."""
    card = (DEFAULT / "README.md").read_text("utf-8")
    story = re.search(r"^Greedy .*?^```text\n(.*?)\n```$", card, re.M | re.S)
    assert story is not None
    return story[1].encode()


TALES = Known("tales260k", DEFAULT, _card(), 512, (1,))

#: Greedy from BOS, 200 steps, as printed by llama2.c and its test, without the final newline,
#: which is not a token.
STORIES_TEXT = (
    b"Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    b"One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n"
    b"Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. "
    b'She said, "I want to play with your ball, but I can\'t find it."\n'
    b"Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. "
    b"I didn't know what to do.\"\n"
    b"Lily didn't want to help her mom, so she"
)
_STORIES_IDS = (1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298)
_STORIES_IDS += (315, 421, 395, 317, 426, 338, 401, 396, 267)

#: stories260K of llama2.c, none or one.
STORIES = [
    Known("stories260K", folder / "stories260K.bin", STORIES_TEXT, 200, _STORIES_IDS)
    for folder in [DATA]
    if folder is not None
]
MODELS = [TALES, *STORIES]
