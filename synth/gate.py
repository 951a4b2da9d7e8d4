"""The netlists of the RAM-port gate: some decoders, and one with a planted second reader."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from design.decoder import Decoder
from design.memories import Purpose, Ram
from spec.config import CacheBacking, Config, RopeBy, Shape, named
from synth.devices import ECP5, XILINX, Device
from synth.mapping import MappedMemory, mapped_memories
from synth.netlist import decoder_rtlil
from synth.ports import Finding, check
from synth.tools import Report
from tools.planting import PlantedBug, build_under

#: The smallest decoder whose cache needs block RAM.
SMALL = Config(
    name="small",
    shape=Shape(dim=32, hidden=48, layers=1, heads=4, kv_heads=2, vocab=64, seq_len=256),
)
#: The same with an external cache and biases.
EXTERNAL = replace(
    SMALL.with_cache(CacheBacking.EXTERNAL),
    name="small-external",
    shape=replace(SMALL.shape, qkv_bias=True),
)
#: At an address that no tool can share; what both show is used.
SECOND_READER = PlantedBug(
    "every bank has a second reader",
    "design.kv_cache",
    "KVRamOwner._connect_banks",
    "rd_word[head].eq(read.data)",
    """*(
        each
        for other in [bank.read_port(transparent_for=(write,))]
        for each in (
            other.en.eq(start),
            other.addr.eq(~shared_rd_address),
            rd_word[head].eq(Value.cast(read.data) ^ Value.cast(other.data)),
        )
    )""",
)
CORDIC = replace(SMALL.with_rope(RopeBy.CORDIC), name="small-cordic")
CONFIGS = (named("nano"), SMALL, EXTERNAL, CORDIC, named("stories260k"))
DEVICES = (ECP5, XILINX)


def cache_of(declared: list[Ram]) -> list[Ram]:
    """The memories of the cache among those that are declared."""
    return [ram for ram in declared if ram.purpose is Purpose.CACHE]


def required() -> frozenset[tuple[str, int, str, bool]]:
    """Configuration, lanes, device, and whether a reader is planted, for every netlist."""
    cases = [(config, False) for config in CONFIGS] + [(SMALL, True)]
    return frozenset(
        (config.name, config.geometry.lanes, device.name, planted)
        for config, planted in cases
        for device in DEVICES
    )


@dataclass(frozen=True)
class Verdict:
    """The result for one netlist. Planted readers are caught if every bank is doubled."""

    config: str
    lanes: int
    device: str
    declared: int
    cache_expected: int
    cache_found: int
    block_rams: int
    bug: bool
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether the netlist is as declared, or the planted readers were caught."""
        if not self.bug:
            return not self.findings and self.cache_expected == self.cache_found
        caught = Counter(f.what for f in self.findings if f.memory.startswith("cache."))
        return caught == {"ports": self.cache_expected, "RAM": self.cache_expected}


def judge(
    config: Config, device: Device, text: str, report: Report, *, bug: bool = False
) -> Verdict:
    """Compare the memories of RTLIL `text` with those that `config` declares; `bug`: it is planted
    in that text."""
    name = f"{config.name}-{config.geometry.lanes}" + "-bug" * bug
    declared = Decoder(config).rams
    mapped = mapped_memories(text, device, name, report)
    return Verdict(
        config=config.name,
        lanes=config.geometry.lanes,
        device=device.name,
        declared=len(declared),
        cache_expected=len(cache_of(declared)),
        cache_found=sum(memory.name.startswith("cache.") for memory in mapped),
        block_rams=_block_rams(mapped, device),
        bug=bug,
        findings=check(declared, mapped, device),
    )


def _block_rams(mapped: list[MappedMemory], device: Device) -> int:
    assert device.block is not None
    weights = device.block.cells
    return sum(weights.get(cell, 0) * n for memory in mapped for cell, n in memory.cells.items())


def judge_all(configs: tuple[Config, ...], report: Report) -> Iterator[Verdict]:
    """Every configuration on every device."""
    for config in configs:
        text = decoder_rtlil(config)
        for device in DEVICES:
            yield judge(config, device, text, report)


def judge_bugs(report: Report) -> Iterator[Verdict]:
    """`SMALL` with a second reader on every bank, on every device."""
    text = build_under(SECOND_READER, decoder_rtlil, SMALL)
    for device in DEVICES:
        yield judge(SMALL, device, text, report, bug=True)
