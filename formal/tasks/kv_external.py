"""The proof tasks of the KV cache in an external memory."""

from collections.abc import Callable

from formal.harness import kv_external
from formal.model import Model
from formal.tasks.task import EXTERNAL, Task
from properties.dialect import Theorem
from properties.kv_element import Tensor
from properties.kv_external_buffer import KvExternalBuffer
from properties.kv_external_last_write import KvExternalLastWrite
from properties.kv_external_requests import KvExternalRequests
from properties.kv_external_row import KvExternalAnswered, KvExternalRowDone
from tools.planting import PlantedBug

NEWEST_UNAWAITED = PlantedBug(
    "keys of the newest row are asked for before they are stored",
    "design.kv_reader",
    "WordReader._request",
    "self.k_ready",
    "1",
)
VALUE_AMONG_KEYS = PlantedBug(
    "a value is stored where a key belongs",
    "design.kv_writer",
    "RowWriter._place",
    "Mux(value, first_value + word, first_key + d)",
    "(first_key + d)",
)
WRONG_STROBE = PlantedBug(
    "a write stores the elements before its own",
    "design.kv_writer",
    "RowWriter._place",
    "1 << Cat(place, head[:head_bits])",
    "(1 << Cat(place, head[:head_bits])) - 1",
)
SAME_WORD = PlantedBug(
    "the buffer shows the same word again and again",
    "design.kv_reader",
    "WordReader.elaborate",
    "read.addr + read.en",
    "read.addr",
)
READY_WHEN_SENT = PlantedBug(
    "a row is stored when the memory took its writes",
    "design.kv_writer",
    "RowWriter.elaborate",
    "self.i_written",
    "taken",
)
LONE_BEAT = PlantedBug(
    "a burst of one beat is never asked for",
    "design.kv_reader",
    "WordReader._request",
    "burst != 0",
    "burst > 1",
)

#: What 8 lanes make of stories260k.
_LONG_COUNTERS = {
    "stories260k": "a solver takes over 5 minutes for its longer counters; stories260k@64 is proved"
}

#: A name, its theorem and harness, the claims it makes (those on its inside included), its planted
#: bug, and what the harness is given.
_THEOREMS: tuple[tuple[str, type[Theorem], Callable[..., Model], int, PlantedBug, dict], ...] = (
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
    ("requests", KvExternalRequests, kv_external.requests, 15, WRONG_STROBE, {}),
    ("buffer", KvExternalBuffer, kv_external.buffer, 14, SAME_WORD, {}),
    ("row_done", KvExternalRowDone, kv_external.row_done, 9, READY_WHEN_SENT, {}),
    ("answered", KvExternalAnswered, kv_external.answered, 12, LONE_BEAT, {}),
)

KV_EXTERNAL: tuple[Task, ...] = tuple(
    Task(
        id=f"kv.external.{name}",
        family="kv_external",
        theorem=theorem,
        harness=harness,
        arguments=arguments,
        search={"eager": True},
        configs=("nano", "nano@16"),
        unproved=_LONG_COUNTERS if name == "last_write.value" else {},
        # It finds the deep witnesses of the wide cache in a third of the time.
        at={"stories260k@64": {"search_by": "bitwuzla"}},
        obligations=claims,
        bug=bug,
        cover_depth=110,
        bug_depth=110,
        domain=EXTERNAL,
    )
    for name, theorem, harness, claims, bug, arguments in _THEOREMS
)
