"""The proof tasks of the KV cache in an external memory."""

from functools import partial

from formal.harness import kv_external
from formal.tasks.task import EXTERNAL, Task
from properties.kv_element import Tensor
from properties.kv_external_buffer import KvExternalBuffer
from properties.kv_external_last_write import KvExternalLastWrite
from properties.kv_external_requests import KvExternalRequests
from properties.kv_external_row import KvExternalAnswered, KvExternalRowDone
from tools.planting import PlantedBug

#: What 8 lanes make of stories260k.
_LONG_COUNTERS = {
    "stories260k": "a solver takes over 5 minutes for its longer counters; stories260k@64 is proved"
}
_task = partial(
    Task,
    family="kv_external",
    search={"eager": True},
    configs=("nano", "nano@16"),
    # It finds the deep witnesses of the wide cache in a third of the time.
    at={"stories260k@64": {"search_by": "bitwuzla"}},
    cover_depth=110,
    bug_depth=110,
    domain=EXTERNAL,
)

KV_EXTERNAL: tuple[Task, ...] = (
    _task("kv.external.last_write.key", KvExternalLastWrite, kv_external.last_write,
        arguments={"tensor": Tensor.KEY}, obligations=22, bug=PlantedBug(
            "keys of the newest row are asked for before they are stored",
            "design.kv_reader", "WordReader._request", "self.k_ready", "1")),
    _task("kv.external.last_write.value", KvExternalLastWrite, kv_external.last_write,
        arguments={"tensor": Tensor.VALUE}, unproved=_LONG_COUNTERS, obligations=22,
        bug=PlantedBug(
            "a value is stored where a key belongs",
            "design.kv_writer", "RowWriter._place",
            "Mux(value, first_value + word, first_key + d)", "(first_key + d)")),
    _task("kv.external.requests", KvExternalRequests, kv_external.requests, obligations=15,
        bug=PlantedBug(
            "a write stores the elements before its own",
            "design.kv_writer", "RowWriter._place",
            "1 << Cat(place, head[:head_bits])", "(1 << Cat(place, head[:head_bits])) - 1")),
    _task("kv.external.buffer", KvExternalBuffer, kv_external.buffer, obligations=14,
        bug=PlantedBug(
            "the buffer shows the same word again and again",
            "design.kv_reader", "WordReader.elaborate", "read.addr + read.en", "read.addr")),
    _task("kv.external.row_done", KvExternalRowDone, kv_external.row_done, obligations=9,
        bug=PlantedBug(
            "a row is stored when the memory took its writes",
            "design.kv_writer", "RowWriter.elaborate", "self.i_written", "taken")),
    _task("kv.external.answered", KvExternalAnswered, kv_external.answered, obligations=12,
        bug=PlantedBug(
            "a burst of one beat is never asked for",
            "design.kv_reader", "WordReader._request", "burst != 0", "burst > 1")),
)  # fmt: skip
