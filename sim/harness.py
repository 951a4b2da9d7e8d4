"""The top level that is simulated: a decoder behind flat ports the C++ driver knows by name."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, View

from design.ports import trace_channels
from spec.config import Config

STREAMS = (
    "i_token", "i_weights", "o_fetch", "o_token", "o_logits",
    "o_kv_read", "i_kv_words", "o_kv_write",
)  # fmt: skip
#: Bits of one element of the external cache as the driver reads it.
ELEMENT_BITS = 32


class Harness(Elaboratable):
    """Wraps `component`, any with `DecoderSignature(config)`.

    The reset is tied low (power-on values are the initial state), and without `traced` the trace
    is left unconnected, so that it vanishes. Trace channel n is the port ``trace{n}``, and bit n
    of ``trace_valid`` tells whether it holds a record.
    """

    def __init__(self, config: Config, component: wiring.Component, *, traced: bool):
        self.config = config
        self.component = component
        self.clk = Signal()
        self.tie = Signal()
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
            channels = [component.trace[n] for n in range(trace_channels(config))]
            self._port("trace_valid", Cat(channel.valid for channel in channels), False)
            for number, channel in enumerate(channels):
                self._port(f"trace{number}", _record(channel), False)

    def _port(self, name: str, value: Value, inward: bool) -> None:
        """A port, unless it has no bits, as what concerns a cache on the chip."""
        value = Value.cast(value)
        if len(value):
            self._pairs.append((Signal(len(value), name=name), value, inward))

    def _elements(self, name: str, array: View, inward: bool) -> None:
        """A port of `ELEMENT_BITS` for each element."""
        room = [Signal(ELEMENT_BITS, name=f"{name}_{n}") for n in range(array.shape().length)]
        for element, wide in zip(array, room, strict=True):
            self._widened.append((element, wide) if inward else (wide, element))
        self._port(name, Cat(room), inward)

    @property
    def ports(self) -> list[Signal]:
        """Every port of the top, the clock and the tie included."""
        return [self.clk, self.tie, *(port for port, _, _ in self._pairs)]

    def elaborate(self, platform) -> Module:
        """The wrapped component."""
        m = Module()
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [sync.clk.eq(self.clk), sync.rst.eq(0)]
        m.submodules.decoder = self.component
        m.d.comb += [to.eq(source) for to, source in self._widened]
        for port, value, inward in self._pairs:
            # `tie` is never high, which yosys cannot know: a cell of its own drives each output.
            # Otherwise bits of an output that are equal (a sign extension, say) are connected to
            # one another, and CXXRTL takes this for a combinational loop.
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
