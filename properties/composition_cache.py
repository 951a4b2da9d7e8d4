"""The whole decoder and its KV cache: whether it keeps the cache's contract, and is causal."""

from typing import Any

from amaranth import *

from design.arith import times_constant
from design.beat import Kind
from properties import kv_contract
from properties.composition import Whole
from properties.dialect import implies


class _CacheKept(Whole):
    """What concerns single accesses, and the flags of the open row."""

    def observe(self, m: Module) -> None:
        """Drive the signals, and claim what does not depend on which position it is."""
        super().observe(m)
        caches, elements = self.parts.caches, self.config.shape.kv_dim
        self.busy = Cat(cache.busy for cache in caches).any()
        announced = Cat(cache.row_start for cache in caches).any()
        self.claim(
            "row_when_idle",
            ~(announced & self.busy),
            "A row is announced while none is open, in any layer.",
        )
        self.claims(
            "Only an announced row is written, a key or a value.",
            write_inside_row=self.every(kv_contract.write_inside_row),
            one_write=self.every(kv_contract.one_write),
        )
        self.claims(
            "Indices are in range.",
            write_in_range=self.every(kv_contract.write_in_range),
            read_in_range=self.every(kv_contract.read_in_range),
        )

        # Of the open row, the keys and values that are written, this cycle's included. A layer sees
        # a write a cycle late (`properties.kv_layers`).
        cache = self.parts.cache
        index = times_constant(cache.wr_head_kv, self.config.shape.head_dim) + cache.wr_d
        complete = Cat(owner.done for owner in caches).any()
        self._row_now, again = [], []
        for kind, written in (("keys", cache.wr_en_k), ("values", cache.wr_en_v)):
            arrives, flags, now = (Signal(elements, name=f"{kind}_{n}") for n in range(3))
            m.d.sync += arrives.eq(Mux(written, 1 << index, 0))
            m.d.comb += now.eq(flags | arrives)
            m.d.sync += flags.eq(Mux(announced | complete, 0, now))
            self._row_now.append(now)
            again.append((flags & arrives).any())
        self.claim("element_once", ~Cat(again).any(), "Each element of the row is written once.")

    def every(self, rule: Any) -> Value:
        """What `rule` states holds for the cache of every layer."""
        return Cat(rule(cache)[0] for cache in self.parts.caches).all()

    def there(self, d: Value) -> tuple[Value, Value]:
        """Whether key, and value, `d` of the open row are written, in every head."""
        shape = self.config.shape
        found = []
        for flags in self._row_now:
            places = (flags >> (head * shape.head_dim + d) for head in range(shape.kv_heads))
            found.append(Cat(place[0] for place in places).all())
        return found[0], found[1]


class CacheKept(_CacheKept):
    """The decoder keeps the contract of the KV caches, and is causal: it reads no position above
    the token's, and nothing that was not written in the current sequence.

    For a cache on the chip.
    """

    def describe(self, m: Module) -> None:
        self.observe(m)
        shape, parts = self.config.shape, self.parts
        tokens, caches = parts.tokens, parts.caches

        own = [
            implies(cache.wr_en_k | cache.wr_en_v, cache.wr_pos == tokens.pos) for cache in caches
        ]
        self.claim("writes_its_own_row", Cat(own).all(), "What is written is the row of the token.")

        # Of each layer, the rows of this sequence that are complete.
        rows = [Signal(range(shape.seq_len + 1), name=f"rows_{n}") for n in range(len(caches))]
        known = []
        for cache, count in zip(caches, rows, strict=True):
            with m.If(tokens.first_token):
                m.d.sync += count.eq(0)
            with m.Elif(cache.done):
                m.d.sync += count.eq(tokens.pos + 1)
            # Of the newest row, the elements of its word, in every head.
            older = (cache.rd_t < count) & (cache.rd_t < tokens.pos)
            newest = (cache.rd_t == tokens.pos) & (count <= tokens.pos)
            done = (cache.rd_t == tokens.pos) & (count == tokens.pos + 1)
            key, value = self.there(cache.rd_d)
            known += [
                implies(cache.rd_start_k, older | done | (newest & key)),
                implies(cache.rd_start_v, older | done | (newest & value)),
            ]
        self.claim(
            "causal",
            Cat(known).all(),
            "A read is of an older row of this sequence, or of what is written of the newest.",
        )

        first = caches[0]
        newest_read = first.rd_start_v & (first.rd_t == tokens.pos) & (tokens.pos != 0)
        self.witness("newest_read", newest_read)
        self.witness("older_read", first.rd_start_k & (first.rd_t < tokens.pos))
        restarts = tokens.first_token & (tokens.pos != 0)
        self.witness("restarts", restarts)


class CacheKeptInLoops(_CacheKept):
    """In any context, the decoder writes each element of a row once, while it is open, and reads no
    row of this sequence before it is written in that layer.

    Which position a beat reads is not known here, only whether it is the newest, the token's own;
    that no other is above it is `properties.positions`. For a cache on the chip.
    """

    def describe(self, m: Module) -> None:
        self.observe(m)
        shape, parts = self.config.shape, self.parts
        tokens, issue = parts.tokens, parts.issue
        is_taken, beat = tokens.next_token, issue.read.p

        self.claim(
            "row_of_one_token",
            ~(is_taken & self.busy),
            "A row is that of one token: no token is taken while it is open.",
        )

        # Complete in each layer: the token's row; those of all tokens before it.
        own, older = Signal(shape.layers), Signal(shape.layers, init=-1)
        done = Cat(owner.done for owner in parts.caches)
        with m.If(is_taken):
            m.d.sync += [own.eq(0), older.eq(Mux(tokens.first_token, -1, own & older))]
        with m.Else():
            m.d.sync += own.eq(own | done)
        # A read starts in a layer when Issue says so (`properties.kv_layers`).
        key, value = self.there(beat.d)
        newest = own.bit_select(beat.layer, 1) | Mux(beat.kind == Kind.KEY, key, value)
        known = Mux(beat.newest, newest, older.bit_select(beat.layer, 1))
        reads = issue.read.valid & ((beat.kind == Kind.KEY) | (beat.kind == Kind.VALUE))
        self.claim(
            "causal",
            implies(reads, known),
            "A read is of an older row of this sequence, or of what is written of the newest.",
        )

        self.witness("newest_value", reads & beat.newest & (beat.kind == Kind.VALUE))
        self.witness("older_key", reads & ~beat.newest & (beat.kind == Kind.KEY))
        self.witness("restarts", tokens.first_token & own.any())


class ExternalCacheKept(Whole):
    """The decoder keeps the contract of the external KV cache, and is causal: the passes of a row
    read no position above the token's, and each below it was announced in the current sequence.

    For a cache outside, whatever its memory does. That a row is stored before the next is announced
    is for the cache to keep: `KvExternalRequests`.
    """

    def describe(self, m: Module) -> None:
        self.observe(m)
        assert self.row, "the cache is on the chip"
        shape, tokens, row, cache = self.config.shape, self.parts.tokens, self.row, self.row.cache
        row.of_caller(self.claim, without="row_when_stored")

        self.claim(
            "own_row",
            implies(cache.row_start, cache.row_pos == tokens.pos),
            "A row is that of the token.",
        )
        # Of each layer, the rows of this sequence that were announced.
        rows = Array(
            Signal(range(shape.seq_len + 1), name=f"rows_{n}") for n in range(shape.layers)
        )
        with m.If(tokens.first_token):
            m.d.sync += [count.eq(0) for count in rows]
        with m.Elif(cache.row_start):
            m.d.sync += rows[cache.row_layer].eq(cache.row_pos + 1)
        follows = rows[cache.row_layer] == cache.row_pos
        self.claim(
            "causal",
            implies(cache.row_start, follows),
            "All rows before it were announced, in this layer and sequence.",
        )

        older = cache.rd_start_k & (cache.rd_t < tokens.pos)
        self.witness("older_read", older)
        self.witness("restarts", tokens.first_token & (tokens.pos != 0))
