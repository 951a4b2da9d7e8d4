"""The facts of a model's header, each looked at by name; what nobody looked at is refused.

A key that this code has never heard of may change the result, so that silence about it would be a
wrong answer waiting for its day.
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

#: Largest integer of any header, that of llama2.c's.
LARGEST = (1 << 31) - 1

_MISSING: Any = object()

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def brief(value: object) -> str:
    """`value` as one short line, however long, deep or unprintable it is."""
    return _SHORT.repr(value)


def read_whole(file: BinaryIO, size: int, longest: int) -> bytes:
    """All of an open file of `size` bytes; raises :class:`BadInput` for more than `longest`."""
    if size > longest:
        raise BadInput(f"file size = {size} bytes is above {longest}")
    return file.read()


def read_object(path: PathLike, longest: int) -> dict[str, Any]:
    """The JSON object that `path` holds, in at most `longest` bytes.

    Raises :class:`BadInput`, naming the file, for anything else.
    """
    with reading(path) as (file, size):
        values = parsed_json(read_whole(file, size, longest))
        if not isinstance(values, dict):
            raise BadInput(f"holds {brief(values)}, which is no JSON object")
        return values


def parsed_json(data: bytes) -> Any:
    """The value of a JSON text.

    Raises :class:`BadInput` for anything else, NaN and infinities, text that is no Unicode, and a
    key that stands twice in its object, of which readers take different ones.
    """
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise BadInput("is JSON that holds half a character, a lone surrogate") from None
    except RecursionError:
        raise BadInput("is JSON that is nested too deeply") from None
    except BadInput:
        raise
    except ValueError as error:  # also of UTF-8 and of numbers with thousands of digits
        name = foreign(data[:512])
        if name is not None and data.lstrip()[:1] not in (b"{", b"["):
            raise BadInput(f"is {name}, and no JSON") from None
        raise BadInput(f"is no JSON ({str(error)[:100]})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise BadInput(f"is JSON whose key {brief(twice)} stands twice")
    return values


def _no_number(name: str) -> Any:
    raise BadInput(f"is JSON that holds {name}, which is no number")


class Facts:
    """The keys and values at `where`; what is not built goes to the list `refused`.

    The methods raise :class:`BadInput`, naming the key, for values of another kind, and for a key
    that is missing and has no default. A JSON null counts as missing.
    """

    def __init__(self, where: str, values: Mapping[str, Any], refused: list[str]) -> None:
        self.where = where
        self.refused = refused
        self._values = values
        self._seen: set[str] = set()

    def has(self, key: str) -> bool:
        """Whether the key is there, be it with a null."""
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
        """An integer of at least `least` that llama2.c's headers could hold."""
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
            raise self._bad(key, value, "a number of some 300 digits at most")
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
        """One token id, a list of them, or nothing."""
        value = self.get(key, [])
        ids = value if isinstance(value, list) else [value]
        for token in ids:
            if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token <= LARGEST:
                raise self._bad(key, value, "token ids")
        return tuple(ids)

    def built(self, key: str, *built: Any) -> None:
        """Refuse a value that is not one of those that are `built`, nor missing."""
        value = self.get(key, None)
        # Arrays of numpy compare by element, and none of them is a value that is built.
        if value is not None and (isinstance(value, np.ndarray) or value not in built):
            what = " or ".join(brief(each) for each in built) or "none"
            self.refuse(f"{key} = {brief(value)} is not built, only {what}")

    def ignore(self, keys: Iterable[str]) -> None:
        """Keys that do not change what the model computes."""
        self._seen.update(keys)

    def unseen(self) -> Iterator[str]:
        """The keys that none of the above has named."""
        return (key for key in self._values if key not in self._seen)

    def refuse_unseen(self) -> None:
        for key in self.unseen():
            self.refuse(f"{brief(key)} = {brief(self._values[key])} is unknown, so may matter")

    def refuse(self, sentence: str) -> None:
        self.refused.append(f"{self.where}: {sentence}")

    def _bad(self, key: str, value: object, what: str) -> BadInput:
        return BadInput(f"{self.where}: {key} = {brief(value)} must be {what}")
