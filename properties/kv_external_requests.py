"""What the external KV cache asks of the memory behind its port."""

from amaranth import *

from design.ports import KV_BURST
from properties.dialect import Theorem, implies
from properties.kv_external import Inside, KvRow
from spec.kv_layout import kv_layout


class KvExternalRequests(Theorem):
    """Requests are in range (reads at most one burst, writes one element) and stable until
    accepted; a row is stored before all its words are read.

    `queued` must be driven with what the writer's queue
    holds at the next element to be taken, `head_of_queue` with what it shows.
    """

    def __init__(self, row: KvRow, inside: Inside):
        self.row = row
        self.inside = inside
        self.queued = Signal(row.config.numerics.k.width)
        self.head_of_queue = Signal(row.config.numerics.k.width)

    def describe(self, m: Module) -> None:
        row, cache = self.row, self.row.cache
        layout = kv_layout(row.config)
        row.connect(m, self)
        read, write = cache.o_kv_read, cache.o_kv_write
        strobe = write.payload.strobe

        self.claim(
            "read_in_memory",
            implies(
                read.valid,
                (read.payload.beats != 0)
                & (read.payload.beats <= KV_BURST)
                & (read.payload.address + read.payload.beats <= layout.beats),
            ),
            "A burst begins and ends in the memory.",
        )
        self.claim(
            "write_in_memory",
            implies(write.valid, write.payload.address < layout.beats),
            "A write is to the memory.",
        )
        read_all = row.open & (row.started == row.passes.all)
        self.claim(
            "stored_before_read",
            implies(read_all, row.acknowledged == row.elements),
            "All words of a row are read only if all of it is stored: the newest are asked "
            "for then.",
        )
        self.claim(
            "one_element",
            implies(write.valid, (strobe != 0) & ((strobe & (strobe - 1))[: len(strobe)] == 0)),
            "A write is of one element.",
        )
        for name, stream in (("read", read), ("write", write)):
            waits, offered = Signal(name=f"{name}_waits"), Signal.like(stream.payload)
            m.d.sync += [waits.eq(stream.valid & ~stream.ready), offered.eq(stream.payload)]
            self.claim(
                f"{name}_holds",
                implies(waits, stream.valid & (stream.payload == offered)),
                "What was offered and not taken is offered still, unchanged.",
            )
            self.witness(f"{name}_waited", waits & stream.ready)
        if self.inside is not None:
            self.claim(
                "head_of_queue",
                implies(write.valid, self.head_of_queue == self.queued),
                "The head of the queue is what the queue holds there.",
            )
            self.claim_inside(self.inside(row))
