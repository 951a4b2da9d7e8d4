"""Which layer of the cache on the chip a read or a write reaches."""

from collections.abc import Mapping, Sequence

from amaranth import *

from properties.dialect import Theorem, implies
from properties.kv_contract import Owner
from properties.kv_element import Tensor


class KvLayers(Theorem):
    """A read, or a write, reaches the owner of the layer that it names and no other: the write 1
    cycle later, the read 1 enabled cycle later, both unchanged.

    `cache` has the ports of `design.cache.CacheLayers`, `owners` one owner for each layer;
    `waiting` are, by tensor and layer, its reads that wait for an enabled cycle. About any layer.
    """

    def __init__(self, cache, owners: Sequence[Owner], waiting: Mapping[Tensor, Sequence[Value]]):
        self.cache = cache
        self.owners = owners
        self.waiting = waiting

    def describe(self, m: Module) -> None:
        cache, layers = self.cache, len(self.owners)
        layer = Signal(range(layers))
        self.choose(layer, layers)

        def of_layer(name: str) -> Value:
            return Array(Value.cast(getattr(owner, name)) for owner in self.owners)[layer]

        starts = cache.rd_start_k | cache.rd_start_v
        self.suppose(
            "start_enabled", implies(starts, cache.rd_en), "Reads start in enabled cycles."
        )

        for kind, indices, enable in (
            ("rd_start", ("rd_t", "rd_d"), cache.rd_en),
            ("wr_en", ("wr_head_kv", "wr_pos", "wr_d", "wr_data"), C(1, 1)),
        ):
            named = (cache.rd_layer if kind == "rd_start" else cache.wr_layer) == layer
            asked = {each: Signal(name=f"{kind}_{each}_before") for each in "kv"}
            before = [Signal.like(Value.cast(getattr(cache, name))) for name in indices]
            with m.If(enable):
                for each, late in asked.items():
                    m.d.sync += late.eq(getattr(cache, f"{kind}_{each}") & named)
                for name, late in zip(indices, before, strict=True):
                    m.d.sync += late.eq(Value.cast(getattr(cache, name)))
            if kind == "rd_start":
                remembered = [
                    Array(of_layers)[layer] == asked[tensor.value]
                    for tensor, of_layers in self.waiting.items()
                ]
                self.claim("remembered", Cat(remembered).all(), "Until then it is remembered.")
            came = [of_layer(f"{kind}_{each}") == (asked[each] & enable) for each in "kv"]
            same = [of_layer(n) == late for n, late in zip(indices, before, strict=True)]
            self.claim(
                f"{kind}_comes",
                Cat(came).all(),
                "What was asked of this layer comes, and nothing else.",
            )
            occurs = Cat(asked.values()).any()
            self.claim(
                f"{kind}_unchanged",
                implies(occurs, Cat(same).all()),
                "It comes as it was asked for.",
            )
            self.witness(f"{kind}_k", asked["k"] & (layer == layers - 1))
            self.witness(f"{kind}_v", asked["v"] & (layer == layers - 1))
