"""Reads of the external KV cache return the last write."""

from amaranth import *

from properties.dialect import Theorem, implies
from properties.kv_element import Tensor
from properties.kv_external import Inside, KvExternalElement, KvRow


class KvExternalLastWrite(Theorem):
    """Every word that the external cache serves to a read is what was last written to it.

    With any latency of the memory, and any content of what has no write behind it. `queued`,
    `head_of_queue` and `buffered` must be driven with what stands in the writer's queue at the
    element's `index` and at its head, and in the reader's buffer at the place of its `word`;
    `found` and `found_block` with the element of the word that the reader shows, and the block that
    it was read for. A search for bugs may be narrowed to the `first_value` of a row.
    """

    def __init__(self, row: KvRow, tensor: Tensor, inside: Inside, *, first_value: bool = False):
        self.first_value = first_value
        self.row = row
        self.element = KvExternalElement(row, tensor)
        self.inside = inside
        self.queued = Signal.like(self.element.shown)
        self.head_of_queue = Signal.like(self.element.shown)
        self.buffered = Signal.like(self.element.shown)
        self.found = Signal.like(self.element.shown)
        self.found_block = Signal.like(self.element.block)

    def describe(self, m: Module) -> None:
        row, element, cache = self.row, self.element, self.row.cache
        row.connect(m, self)
        element.connect(m, self)
        request = cache.o_kv_read.payload
        if self.first_value:
            first = element.index == row.config.shape.kv_dim
            self.suppose(
                "first_value",
                (element.layer == 0) & (element.t == 0) & first,
                "The first value of the row that is written and read; keys are read before values.",
            )

        # Shadow of the element since reset.
        known = Signal()
        last = Signal.like(element.shown)
        with m.If(element.written):
            m.d.sync += [known.eq(1), last.eq(cache.wr_data)]
        # What the reader must have found, from a read until the next one.
        sought, expected = Signal(), Signal.like(element.shown)
        with m.If(element.start):
            m.d.sync += [sought.eq(element.read & known), expected.eq(last)]
        # What the slot must show, an enabled cycle later.
        due, due_value = Signal(), Signal.like(element.shown)
        with m.If(cache.rd_en):
            m.d.sync += [due.eq(sought), due_value.eq(expected)]

        self.claim(
            "returns_last_write",
            implies(due, element.shown == due_value),
            "A finished read shows the last write until the next word takes its place.",
        )
        place = element.address - (element.word - row.requested)
        self.claim(
            "asked_at_its_place",
            implies(element.asked, request.address == place[: len(request.address)]),
            "The word that a read will get is asked for at the address of the layout.",
        )
        waits = element.is_read & (row.requested > element.word) & (row.delivered <= element.word)
        self.claim(
            "no_hazard",
            implies(waits, element.clean),
            "From its request until it comes, no write to it is on its way.",
        )
        turn = element.mine & (row.accepted == element.index)
        self.claims(
            "The element is stored when it is its turn in its row, and never else; as it "
            "was given.",
            stored_in_its_place=implies(row.stores, element.covered == turn),
            stored_as_given=implies(
                element.covered, cache.o_kv_write.payload.data[element.lane] == last
            ),
        )

        if self.inside is not None:
            self.claim(
                "found",
                implies(sought, (self.found == expected) & (self.found_block == element.block)),
                "The word that is found is the one that was sought.",
            )
            self._claim_inside(known, last)
            self.claim_inside(self.inside(row))

        self.witness("read_back", due & (element.shown != 0))

    def _claim_inside(self, known: Value, last: Value) -> None:
        """Where the last write is: queued, on its way, stored, buffered."""
        row, element = self.row, self.element
        given = element.mine & (row.given > element.index)
        self.claim("given_is_known", implies(given, known), "What was given of this row is known.")
        self.claim(
            "queue_holds_it",
            implies(given, self.queued == last),
            "The queue keeps it to the end of the row.",
        )
        self.claim(
            "head_of_queue_is_it",
            implies(given & (row.accepted == element.index), self.head_of_queue == last),
            "When its turn comes, it is what leaves the queue.",
        )
        self.claim(
            "on_its_way",
            element.flying
            == (
                element.mine & (row.accepted > element.index) & (row.acknowledged <= element.index)
            ),
            "It is on its way from when the memory takes it until it is acknowledged.",
        )
        self.claim(
            "on_its_way_as_given",
            implies(element.flying, (element.data == last) & (element.number == element.index)),
            "What is on its way is what was given.",
        )
        self.claim(
            "memory_holds_it",
            implies(
                known & ~(given & (row.acknowledged <= element.index)), element.content == last
            ),
            "Else, the memory holds it.",
        )
        self.claims(
            "A newest element is asked for once it is stored.",
            asked_when_stored=implies(
                element.is_read & element.mine & (row.requested > element.word),
                row.acknowledged > element.index,
            ),
            buffer_holds_it=implies(
                element.is_read
                & known
                & (row.started <= element.word)
                & (row.delivered > element.word),
                self.buffered == last,
            ),
        )
