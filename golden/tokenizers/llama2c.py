"""The byte-pair tokenizer of llama2.c, and its file `tokenizer.bin`."""

import functools
import itertools
import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tools.errors import BadInput
from tools.files import PathLike, reading, write_atomically

UNKNOWN, BOS, EOS = 0, 1, 2
FIRST_BYTE = 3  # ids 3 to 258 are the 256 bytes

#: Only pairs with a better score are merged.
WORST_SCORE = -1e10

BYTE_PIECE = re.compile(rb"<0x([0-9A-Fa-f]{2})>")
#: A code point of valid UTF-8; otherwise, a byte and up to 3 continuation bytes.
CODE_POINT = re.compile(rb".[\x80-\xBF]{0,3}", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Llama2cTokenizer:
    """The piece (bytes) and the merge score of every token id."""

    pieces: tuple[bytes, ...]
    scores: tuple[float, ...]

    @classmethod
    def read(cls, path: PathLike, vocab: int) -> "Llama2cTokenizer":
        """Read the `vocab` tokens of a `tokenizer.bin`, which does not store their number.

        Raises :class:`BadInput` naming the file, the field and the value unless the file has
        exactly that many tokens, each with a finite score and at most the maximum length stored in
        the file.
        """
        if vocab < 1:
            raise BadInput(f"tokenizer vocab = {vocab} must be positive")
        pieces, scores = [], []
        with reading(path) as (file, size):
            (longest,) = struct.unpack("<I", _take(file, 4, "longest token"))
            for token in range(vocab):
                field = f"token {token} of {vocab}"
                score, length = struct.unpack("<fI", _take(file, 8, field))
                if not math.isfinite(score):
                    raise BadInput(f"{field} has score = {score}, not finite")
                if length > longest:
                    raise BadInput(f"{field} has length = {length}, above the longest, {longest}")
                if length > size - file.tell():  # checked before allocating
                    raise BadInput(
                        f"{field} has length = {length}, but {size - file.tell()} bytes are left"
                    )
                pieces.append(_take(file, length, field))
                scores.append(score)
            if size != file.tell():
                raise BadInput(
                    f"file size = {size} bytes, but its {vocab} tokens end at {file.tell()}"
                )
        return cls(pieces=tuple(pieces), scores=tuple(scores))

    def write(self, path: PathLike) -> None:
        """Write a `tokenizer.bin`. Raises :class:`BadInput` if the file cannot be written."""
        write_atomically(path, self._content())

    def files(self) -> dict[str, bytes]:
        """The file `tokenizer.bin`."""
        return {"tokenizer.bin": self._content()}

    def _content(self) -> bytes:
        tokens = zip(self.pieces, self.scores, strict=True)
        parts = (struct.pack("<fI", score, len(piece)) + piece for piece, score in tokens)
        return struct.pack("<I", max(map(len, self.pieces))) + b"".join(parts)

    @property
    def has_chat(self) -> bool:
        """Never."""
        return False

    def encode(self, text: str | bytes, bos: bool = True) -> list[int]:
        """The token ids of `text`, with BOS in front unless `bos` is false.

        A text that is not empty gets a space in front, as in sentencepiece. Code points without a
        piece become their UTF-8 bytes. Raises :class:`BadInput` for a code point without piece and
        byte tokens, or text that is not Unicode.
        """
        data = _utf8(text)
        tokens = [BOS] if bos else []
        if data:
            tokens += self._spell(b" ")
        for point in CODE_POINT.findall(data):
            tokens += self._spell(point)
        while True:
            pairs = (self.pieces[a] + self.pieces[b] for a, b in itertools.pairwise(tokens))
            merges = [
                (self._ids[pair], index) for index, pair in enumerate(pairs) if pair in self._ids
            ]
            if not merges:
                return tokens
            # max returns the first of equals, like llama2.c.
            token, index = max(merges, key=lambda merge: self.scores[merge[0]])
            if self.scores[token] <= WORST_SCORE:
                return tokens
            tokens[index : index + 2] = [token]

    def decode(self, previous: int, token: int) -> bytes:
        """The bytes of `token` after the token `previous`.

        One leading space is dropped after BOS; a byte token becomes its byte. (llama2.c does not
        print control bytes; here, code that writes to a terminal may drop them.) Raises
        :class:`BadInput` for an id outside the vocabulary.
        """
        if not 0 <= token < len(self.pieces):
            raise BadInput(f"token id {token} is outside 0 to {len(self.pieces) - 1}")
        piece = self.pieces[token]
        if previous == BOS:
            piece = piece.removeprefix(b" ")
        byte = BYTE_PIECE.fullmatch(piece)
        return bytes([int(byte[1], 16)]) if byte else piece

    def decode_all(self, tokens: Iterable[int]) -> bytes:
        """The text of a sequence of ids, with or without BOS, which has no text, in front."""
        stream = self.stream()
        return b"".join(stream.put(token) for token in tokens)

    def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Refused: llama2.c files have no chat template."""
        raise BadInput("the tokenizer is a llama2.c file, which has no chat template")

    def stream(self) -> "Llama2cStream":
        """A decoder of ids one by one."""
        return Llama2cStream(self)

    @property
    def vocab(self) -> int:
        """The number of ids."""
        return len(self.pieces)

    @functools.cached_property
    def _ids(self) -> dict[bytes, int]:
        backwards = range(len(self.pieces) - 1, -1, -1)  # the first of equal pieces wins
        return {self.pieces[token]: token for token in backwards}

    def _spell(self, point: bytes) -> list[int]:
        if point in self._ids:
            return [self._ids[point]]
        if not self._has_bytes:
            raise BadInput(
                f"text holds {point!r}, for which the tokenizer of {len(self.pieces)} tokens "
                f"has no piece and no bytes"
            )
        return [FIRST_BYTE + byte for byte in point]

    @functools.cached_property
    def _has_bytes(self) -> bool:
        """Whether the ids that llama2.c uses for bytes are bytes, not ordinary pieces."""
        ids = self.pieces[FIRST_BYTE : FIRST_BYTE + 256]
        return ids == tuple(b"<0x%02X>" % byte for byte in range(256))


class Llama2cStream:
    """Decodes ids one by one; the first may be BOS."""

    def __init__(self, tokenizer: Llama2cTokenizer) -> None:
        self._tokenizer = tokenizer
        self._previous = BOS

    def put(self, token: int) -> bytes:
        """The bytes of `token`, which may be part of a character."""
        previous, self._previous = self._previous, token
        return b"" if token == BOS else self._tokenizer.decode(previous, token)

    def end(self) -> bytes:
        """Empty: every byte was returned with its token."""
        return b""


def _take(file: BinaryIO, count: int, field: str) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise BadInput(f"file ends within {field}, after {len(data)} of {count} bytes")
    return data


def _utf8(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:  # restores bytes that the command line could not decode
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadInput(
            f"text character {error.start} = {text[error.start]!a} is not Unicode"
        ) from None
