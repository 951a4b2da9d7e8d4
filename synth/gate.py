"""The netlists of the RAM-port gate: some decoders, and one with a planted second reader."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from design.memories import cache_memories, memories
from spec.config import CacheBacking, Config, RopeBy, Shape, named
from synth.devices import ECP5, XILINX, Device
from synth.mapping import MappedMemory, mapped_memories
from synth.netlist import decoder_rtlil
from synth.planted import second_reader
from synth.ports import Finding, check
from synth.tools import Report

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
CORDIC = replace(SMALL.with_rope(RopeBy.CORDIC), name="small-cordic")
CONFIGS = (named("nano"), SMALL, EXTERNAL, CORDIC, named("stories260k"))
DEVICES = (ECP5, XILINX)


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
    """The result for one netlist. A planted reader is caught if its bank is doubled."""

    config: str
    lanes: int
    device: str
    declared: int
    cache_expected: int
    cache_found: int
    block_rams: int
    bug: str | None
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether the netlist is as declared, or the planted reader was caught."""
        if self.bug is None:
            return not self.findings and self.cache_expected == self.cache_found
        caught = {finding.what for finding in self.findings if finding.memory == self.bug}
        return {"ports", "RAM"} <= caught


def judge(
    config: Config, device: Device, text: str, report: Report, *, bug: str | None = None
) -> Verdict:
    """Compare the memories of RTLIL `text` with those that `config` declares."""
    if bug is not None:
        text = second_reader(text, bug)
    name = f"{config.name}-{config.geometry.lanes}" + "-bug" * (bug is not None)
    declared = memories(config)
    mapped = mapped_memories(text, device, name, report)
    return Verdict(
        config=config.name,
        lanes=config.geometry.lanes,
        device=device.name,
        declared=len(declared),
        cache_expected=len(cache_memories(config)),
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
    """A second reader on the first key bank of `SMALL`, on every device."""
    bank = cache_memories(SMALL)[0].name
    text = decoder_rtlil(SMALL)
    for device in DEVICES:
        yield judge(SMALL, device, text, report, bug=bank)
