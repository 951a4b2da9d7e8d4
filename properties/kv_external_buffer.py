"""The buffer between the external memory and the passes."""

from amaranth import *

from properties.dialect import Theorem, implies
from properties.kv_external import Inside, KvRow
from spec.derived import derive


class KvExternalBuffer(Theorem):
    """Each beat is taken when it comes, finds room, and leaves once, in the order of arrival.

    The solver chooses a word of the row by its `number`, and an element of it. `word` is what the
    reader shows, of `depth` words its buffer has room for; `buffered` must be driven with the
    buffer's content at the chosen word's place.
    """

    def __init__(self, row: KvRow, word: Value, depth: int, inside: Inside):
        self.row = row
        self.word = word
        self.depth = depth
        self.inside = inside
        self.number = Signal(self.row.passes.shape)
        self.lane = Signal(range(len(row.cache.i_kv_words.payload)))
        self.buffered = Signal(signed(derive(row.config).kv_width))

    def describe(self, m: Module) -> None:
        row, words = self.row, self.row.cache.i_kv_words
        row.connect(m, self)
        self.choose(self.number, 1 << len(self.number))
        self.choose(self.lane, len(words.payload))

        # What came as the chosen word, and whether it is the one that is shown.
        came = Signal.like(self.buffered)
        with m.If(words.valid & (row.delivered == self.number)):
            m.d.sync += came.eq(words.payload[self.lane])
        shown = Signal()
        with m.If(row.cache.row_start):
            m.d.sync += shown.eq(0)
        with m.Elif(row.reads):
            m.d.sync += shown.eq(row.started == self.number)

        self.claim("taken_at_once", implies(words.valid, words.ready), "Nothing waits at the port.")
        self.claim(
            "finds_room",
            implies(words.valid, row.delivered - row.started < self.depth),
            "What comes finds room.",
        )
        self.claim(
            "in_order",
            implies(shown, self.word[self.lane] == came),
            "The n-th read shows the n-th word.",
        )
        self.claim(
            "ready",
            row.cache.rd_ready == (row.claimed < row.delivered),
            "A word is ready exactly when one came that is not claimed.",
        )

        if self.inside is not None:
            waits = (row.started <= self.number) & (self.number < row.delivered)
            self.claim(
                "kept",
                implies(waits, self.buffered == came),
                "Until it is read the word stays in the buffer.",
            )
            self.claim(
                "left", implies(shown, row.started > self.number), "What is shown left the buffer."
            )
            self.claim_inside(self.inside(row))
        self.witness("shown", shown & (came != 0) & (self.number != 0))
