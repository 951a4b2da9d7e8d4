"""The proof tasks of the KV cache in an external memory."""

from collections.abc import Callable
from typing import Any

from formal.canary import Canary
from formal.harness import kv_external
from formal.model import Model
from formal.task import EXTERNAL, Task
from properties.dialect import Theorem
from properties.kv_element import Tensor
from properties.kv_external_buffer import KvExternalBuffer
from properties.kv_external_last_write import KvExternalLastWrite
from properties.kv_external_requests import KvExternalRequests
from properties.kv_external_row import KvExternalAnswered, KvExternalRowDone

NEWEST_UNAWAITED = Canary(
    "keys of the newest row are asked for before they are stored",
    "design.kv_reader",
    "Mux(values, self.v_ready, self.k_ready)",
    "Mux(values, self.v_ready, 1)",
)
VALUE_AMONG_KEYS = Canary(
    "a value is stored where a key belongs",
    "design.kv_writer",
    "Mux(value, first_value + word, first_key + d)",
    "(first_key + d)",
)
WRONG_STROBE = Canary(
    "a write stores the elements before its own",
    "design.kv_writer",
    "payload.strobe.eq(1 << Cat(place, head[:head_bits]))",
    "payload.strobe.eq((1 << Cat(place, head[:head_bits])) - 1)",
)
SAME_WORD = Canary(
    "the buffer shows the same word again and again",
    "design.kv_reader",
    "read.addr.eq(read.addr + read.en)",
    "read.addr.eq(read.addr)",
)
READY_WHEN_SENT = Canary(
    "a row is stored when the memory took its writes",
    "design.kv_writer",
    "stored.eq(stored + self.i_written)",
    "stored.eq(stored + taken)",
)
LONE_BEAT = Canary(
    "a burst of one beat is never asked for",
    "design.kv_reader",
    "(burst != 0) & (burst <= room)",
    "(burst > 1) & (burst <= room)",
)

#: The external cache: one block of heads and one element a word, several blocks, and stories260k
#: with 8 elements a word, whose longer counters at 8 lanes take a solver minutes.
_EXTERNAL: tuple[tuple[str, str, dict[str, int]], ...] = (
    ("", "nano", {}),
    ("_blocks", "nano", {"lanes": 2}),
    ("_wide", "stories260k", {"lanes": 64}),
)


def _external(
    name: str,
    theorem: type[Theorem],
    harness: Callable[..., Model],
    claims: int,
    canary: Canary,
    config: str,
    **arguments: Any,
) -> Task:
    """A theorem on the external cache, of so many `claims`, those on its inside included."""
    return Task(
        id=f"kv.external.{name}",
        family="kv_external",
        theorem=theorem,
        harness=harness,
        arguments=arguments,
        search={"eager": True},
        # It finds the deep witnesses of the wide cache in a third of the time.
        search_by="bitwuzla" if "lanes" in arguments and config != "nano" else "",
        configs=(config,),
        obligations=claims,
        canary=canary,
        cover_depth=110,
        canary_depth=110,
        domain=EXTERNAL,
    )


#: A name, its theorem and harness, the claims it makes, its planted bug, and what it is given.
_THEOREMS: tuple[tuple[str, type[Theorem], Callable[..., Model], int, Canary, dict], ...] = (
    (
        "last_write.key",
        KvExternalLastWrite,
        kv_external.last_write,
        22,
        NEWEST_UNAWAITED,
        {"tensor": Tensor.KEY},
    ),
    (
        "last_write.value",
        KvExternalLastWrite,
        kv_external.last_write,
        22,
        VALUE_AMONG_KEYS,
        {"tensor": Tensor.VALUE},
    ),
    ("requests", KvExternalRequests, kv_external.requests, 14, WRONG_STROBE, {}),
    ("buffer", KvExternalBuffer, kv_external.buffer, 14, SAME_WORD, {}),
    ("row_done", KvExternalRowDone, kv_external.row_done, 9, READY_WHEN_SENT, {}),
    ("answered", KvExternalAnswered, kv_external.answered, 12, LONE_BEAT, {}),
)

KV_EXTERNAL: tuple[Task, ...] = tuple(
    _external(f"{name}{suffix}", theorem, harness, claims, canary, config, **given, **lanes)
    for suffix, config, lanes in _EXTERNAL
    for name, theorem, harness, claims, canary, given in _THEOREMS
)
