"""The interface of all tokenizers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol


class TextStream(Protocol):
    """Decodes ids one by one."""

    def put(self, token: int) -> bytes:
        """The text that `token` completes, possibly empty."""
        ...

    def end(self) -> bytes:
        """The rest after the last id, such as the first bytes of a character."""
        ...


class Tokenizer(Protocol):
    """Text to ids and back."""

    @property
    def vocab(self) -> int:
        """The number of ids; every id is below it."""
        ...

    @property
    def has_chat(self) -> bool:
        """Whether the tokenizer has a chat template; without one `chat` raises."""
        ...

    def files(self) -> dict[str, bytes]:
        """The files of the tokenizer, by name, as stored beside a model."""
        ...

    def encode(self, text: str, bos: bool = True) -> list[int]:
        """The ids of `text`, after the id that texts of this model begin with, if any.

        Raises :class:`BadInput` for text that is not Unicode, or outside the vocabulary.
        """
        ...

    def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a chat up to where the model answers; messages have role and content.

        Raises :class:`BadInput` without a chat template, or if it refuses the messages.
        """
        ...

    def stream(self) -> TextStream:
        """A decoder of ids one by one, for one text; the first id may be that of its beginning."""
        ...

    def decode_all(self, tokens: Iterable[int]) -> bytes:
        """The text of a whole sequence of ids."""
        ...
