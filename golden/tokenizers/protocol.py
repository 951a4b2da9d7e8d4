"""What every tokenizer can do, whatever file it comes from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol


class TextStream(Protocol):
    """The text of ids that come one by one."""

    def put(self, token: int) -> bytes:
        """What can be shown now that `token` came: whole characters, maybe none."""
        ...

    def end(self) -> bytes:
        """What is left when no more come, such as the first bytes of a character."""
        ...


class Tokenizer(Protocol):
    """Text to ids and back."""

    @property
    def vocab(self) -> int:
        """Every id is below this."""
        ...

    @property
    def has_chat(self) -> bool:
        """Whether there is a chat template, without which `chat` raises."""
        ...

    def files(self) -> dict[str, bytes]:
        """The files that hold it, by name, as they would lie beside a model."""
        ...

    def encode(self, text: str, bos: bool = True) -> list[int]:
        """The ids of `text`, behind the id that a text of this model begins with, if any.

        Raises :class:`BadInput` for text that is no Unicode, or that the vocabulary cannot spell.
        """
        ...

    def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a chat up to where the model is to answer; messages have role and content.

        Raises :class:`BadInput` where there is no chat template, or it does not take them.
        """
        ...

    def stream(self) -> TextStream:
        """For ids that come one by one; one per text, whose first id may be that of its begin."""
        ...

    def decode_all(self, tokens: Iterable[int]) -> bytes:
        """The text of a whole sequence of ids."""
        ...
