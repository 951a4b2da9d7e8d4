"""The simulated top level: a decoder with flat ports, which the C++ driver accesses by name."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, View

from spec.config import Config

STREAMS = (
    "i_token", "i_weights", "o_fetch", "o_token", "o_logits",
    "o_kv_read", "i_kv_words", "o_kv_write",
)  # fmt: skip
#: Bits of an element of the external cache in the driver.
ELEMENT_BITS = 32


class Harness(Elaboratable):
    """Wraps `component`, which has the signature `DecoderSignature(config)`.

    Unless it is `resettable`, which costs speed, the reset is tied low (power-on values are the
    initial state). Without `traced` the trace is
    unconnected, so that it is optimised away. Trace channel n is the port ``trace{n}``, and bit n
    of ``trace_valid`` is set when it holds a record.
    """

    def __init__(
        self, config: Config, component: wiring.Component, *, traced: bool, resettable: bool = False
    ):
        self.config = config
        self.component = component
        self.clk = Signal()
        self.tie = Signal()
        self.rst = Signal()
        self.resettable = resettable
        self._pairs: list[tuple[Signal, Value, bool]] = []
        self._widened: list[tuple[Value, Value]] = []
        for name in STREAMS:
            inward = name.startswith("i_")
            stream = getattr(component, name)
            payload = stream.payload
            if name == "i_weights":
                self._port("i_weights_data", Value.cast(payload), inward)
            elif name == "i_kv_words":
                self._elements("i_kv_words_data", payload, inward)
            else:
                for field, shape in payload.shape():
                    if isinstance(shape.shape, ArrayLayout):
                        self._elements(f"{name}_{field}", payload[field], inward)
                    else:
                        self._port(f"{name}_{field}", payload[field], inward)
            self._port(f"{name}_valid", stream.valid, inward)
            self._port(f"{name}_ready", stream.ready, not inward)
        self._port("i_kv_written", component.i_kv_written, True)
        self._port("cycles", component.cycles, False)
        self._port("macs", component.macs, False)
        self._port("fault", component.fault, False)
        if traced:
            channels = list(component.trace)
            self._port("trace_valid", Cat(channel.valid for channel in channels), False)
            for number, channel in enumerate(channels):
                self._port(f"trace{number}", _record(channel), False)

    def _port(self, name: str, value: Value, inward: bool) -> None:
        """Add a port, unless it has no bits, like the cache ports with an on-chip cache."""
        value = Value.cast(value)
        if len(value):
            self._pairs.append((Signal(len(value), name=name), value, inward))

    def _elements(self, name: str, array: View, inward: bool) -> None:
        """Add a port with `ELEMENT_BITS` for each element of `array`."""
        words = [Signal(ELEMENT_BITS, name=f"{name}_{n}") for n in range(array.shape().length)]
        for element, word in zip(array, words, strict=True):
            self._widened.append((element, word) if inward else (word, element))
        self._port(name, Cat(words), inward)

    @property
    def ports(self) -> list[Signal]:
        """Every port of the top level: the clock, the tie and the reset included."""
        reset = [self.rst] if self.resettable else []
        return [self.clk, self.tie, *reset, *(port for port, _, _ in self._pairs)]

    @property
    def directions(self) -> dict[str, bool]:
        """Whether each port is an input, by name."""
        return {port.name: inward for port, _, inward in self._pairs} | {"clk": True, "tie": True}

    def elaborate(self, platform) -> Module:
        """The wrapped component."""
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.clk), sync.rst.eq(self.rst if self.resettable else 0)]
        m.submodules.decoder = self.component
        m.d.comb += [to.eq(source) for to, source in self._widened]
        for port, value, inward in self._pairs:
            # `tie` is never high, but yosys does not know it, so every output has its own cell.
            # Otherwise equal bits of an output (such as a sign extension) are connected to one
            # another, and CXXRTL takes this for a combinational loop.
            m.d.comb += value.eq(port) if inward else port.eq(Mux(self.tie, 0, value))
        return m


def _record(channel: View) -> Value:
    fields = ((channel.tensor, 16), (channel.layer, 16), (channel.index, 32), (channel.value, 32))
    parts = []
    for value, bits in fields:
        value = Value.cast(value)
        sign = value[-1] if value.shape().signed else C(0)
        parts.append(Cat(value, sign.replicate(bits - len(value))))
    return Cat(parts)
