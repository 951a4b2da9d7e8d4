"""Access to the keys of a model's header; keys that were never accessed are refused.

A key unknown to this code may change what the model computes, so ignoring it could give wrong
results.
"""

import json
import math
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from golden.formats.foreign import foreign
from tools.errors import BadInput
from tools.files import PathLike, reading

#: Largest integer of any header, as in llama2.c.
LARGEST = (1 << 31) - 1

_MISSING: Any = object()

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def brief(value: object) -> str:
    """`value` as one short printable line, whatever its size, depth or characters."""
    return _SHORT.repr(value)


def read_whole(file: BinaryIO, size: int, longest: int) -> bytes:
    """The content of an open file; raises :class:`BadInput` if `size` exceeds `longest` bytes."""
    if size > longest:
        raise BadInput(f"file size = {size} bytes is above {longest}")
    return file.read()


def read_object(path: PathLike, longest: int) -> dict[str, Any]:
    """The JSON object in `path`, of at most `longest` bytes.

    Raises :class:`BadInput`, naming the file, for anything else.
    """
    with reading(path) as (file, size):
        values = parsed_json(read_whole(file, size, longest))
        if not isinstance(values, dict):
            raise BadInput(f"holds {brief(values)}, not a JSON object")
        return values


def parsed_json(data: bytes) -> Any:
    """The value of a JSON text.

    Raises :class:`BadInput` for anything else: also for NaN and infinities, text that is not
    Unicode, and duplicate keys, of which different readers use different ones.
    """
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise BadInput("is JSON with a lone surrogate, half a character") from None
    except RecursionError:
        raise BadInput("is JSON that is nested too deeply") from None
    except BadInput:
        raise
    except ValueError as error:  # also for bad UTF-8 and for numbers with thousands of digits
        name = foreign(data[:512])
        if name is not None and data.lstrip()[:1] not in (b"{", b"["):
            raise BadInput(f"is {name}, not JSON") from None
        raise BadInput(f"is not JSON ({str(error)[:100]})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for index, name in enumerate(names) if name in names[:index])
        raise BadInput(f"is JSON with the key {brief(duplicate)} twice")
    return values


def _no_number(name: str) -> Any:
    raise BadInput(f"is JSON that holds {name}, which is not a number")


class Facts:
    """The keys and values at `where`; unsupported features are added to the list `refused`.

    The methods raise :class:`BadInput`, naming the key, for values of another type, and for a
    missing key without a default. A JSON null counts as missing.
    """

    def __init__(self, where: str, values: Mapping[str, Any], refused: list[str]) -> None:
        self.where = where
        self.refused = refused
        self._values = values
        self._seen: set[str] = set()

    def has(self, key: str) -> bool:
        """Whether the key exists, possibly with a null."""
        return key in self._values

    def get(self, key: str, default: Any = _MISSING) -> Any:
        self._seen.add(key)
        value = self._values.get(key)
        if value is None:
            if default is _MISSING:
                raise BadInput(f"{self.where}: {key} is missing")
            return default
        return value

    def size(self, key: str, default: Any = _MISSING, least: int = 1) -> int:
        """An integer from `least` to the largest of llama2.c's headers."""
        value = self.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST:
            raise self._bad(key, value, f"an integer from {least} to {LARGEST}")
        return value

    def number(self, key: str, default: Any = _MISSING) -> float:
        value = self.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._bad(key, value, "a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._bad(key, value, "a finite number of at most 300 digits")
        return number

    def flag(self, key: str, default: Any = _MISSING) -> bool:
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self._bad(key, value, "true or false")
        return value

    def text(self, key: str, default: Any = _MISSING) -> str:
        value = self.get(key, default)
        if not isinstance(value, str):
            raise self._bad(key, value, "a text")
        return value

    def ids(self, key: str) -> tuple[int, ...]:
        """One token id, a list of ids, or none."""
        value = self.get(key, [])
        ids = value if isinstance(value, list) else [value]
        for token in ids:
            if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token <= LARGEST:
                raise self._bad(key, value, "token ids")
        return tuple(ids)

    def supported(self, key: str, *supported: Any) -> None:
        """Refuse a value that is neither missing nor one of those `supported`."""
        value = self.get(key, None)
        # numpy arrays compare by element, and no supported value is an array.
        if value is not None and (isinstance(value, np.ndarray) or value not in supported):
            choices = " or ".join(map(brief, supported)) or "none"
            self.refuse(f"{key} = {brief(value)} is not supported, only {choices}")

    def ignore(self, keys: Iterable[str]) -> None:
        """Accept keys that do not affect what the model computes."""
        self._seen.update(keys)

    def unseen(self) -> Iterator[str]:
        """The keys that no method above has accessed."""
        return (key for key in self._values if key not in self._seen)

    def refuse_unseen(self) -> None:
        for key in self.unseen():
            self.refuse(
                f"{brief(key)} = {brief(self._values[key])} is unknown and may change the result"
            )

    def refuse(self, sentence: str) -> None:
        self.refused.append(f"{self.where}: {sentence}")

    def _bad(self, key: str, value: object, what: str) -> BadInput:
        return BadInput(f"{self.where}: {key} = {brief(value)} must be {what}")
