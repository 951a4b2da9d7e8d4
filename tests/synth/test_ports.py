"""The RAM-port gate: what it accepts, and that it refuses what it is there to refuse."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from design.memories import cache_memories, memories
from design.memory import BLOCK_BITS, Memory
from spec.config import CONFIGS, CacheBacking, named
from synth import gate
from synth.__main__ import main
from synth.devices import ECP5, XILINX, Device
from synth.mapping import MappedMemory, mapped_memories, match
from synth.netlist import decoder_rtlil
from synth.planted import second_reader
from synth.ports import check

BANK = Memory(name="cache.bank", purpose="cache", depth=4096, width=16, lane=16)
ROW = Memory(name="row.memory", purpose="activation", depth=64, width=18, lane=18)
TABLE = Memory(name="table", purpose="table", depth=256, width=27, lane=27, writes=0)
DECLARED = (BANK, ROW, TABLE)
MAPPED = {
    "bank": MappedMemory(
        name="cache.bank", depth=4096, width=16, reads=1, writes=1, cells={"DP16KD": 4}
    ),
    "row": MappedMemory(
        name="row.memory", depth=64, width=18, reads=1, writes=1, cells={"TRELLIS_DPR16X4": 20}
    ),
    "table": MappedMemory(
        name="table", depth=256, width=25, reads=1, writes=0, cells={"DP16KD": 1}
    ),
}


def findings(device: Device = ECP5, **changes: MappedMemory | None) -> list[str]:
    """The findings of `check` if some memories are mapped differently (None: missing)."""
    mapped = [memory for memory in (MAPPED | changes).values() if memory is not None]
    return [str(finding) for finding in check(DECLARED, mapped, device)]


def changed(name: str, **values: object) -> dict[str, MappedMemory]:
    return {name: dataclasses.replace(MAPPED[name], **values)}


def test_a_netlist_as_declared_is_green():
    assert findings() == []


def test_a_missing_memory_is_reported():
    assert findings(row=None) == ["row.memory: memory: expected 64 x 18, found none"]


def test_a_memory_too_many_is_reported():
    copy = dataclasses.replace(MAPPED["row"], name="row.copy")
    assert findings(copy=copy) == [
        "row.copy: memory: expected none, found 64 x 18 in 20 TRELLIS_DPR16X4"
    ]


def test_a_second_reader_and_its_copy_are_reported():
    assert findings(**changed("bank", reads=2, cells={"DP16KD": 8})) == [
        "cache.bank: ports: expected 1 read, 1 write, found 2 read, 1 write",
        "cache.bank: RAM: expected 4 DP16KD, found 8 DP16KD (8 DP16KD)",
    ]


@pytest.mark.parametrize(
    ("cells", "listed"),
    [
        ({"TRELLIS_DPR16X4": 1024}, "1024 TRELLIS_DPR16X4"),
        ({"DP16KD": 2, "TRELLIS_DPR16X4": 512}, "2 DP16KD, 512 TRELLIS_DPR16X4"),
        ({}, "flip-flops and logic"),
    ],
)
def test_cache_outside_block_ram_is_reported(cells: dict[str, int], listed: str):
    assert findings(**changed("bank", cells=cells)) == [
        f"cache.bank: kind: expected block RAM alone, found {listed}"
    ]


def test_a_copy_in_lut_ram_is_reported():
    assert findings(**changed("row", cells={"TRELLIS_DPR16X4": 40})) == [
        "row.memory: RAM: expected 20 DPR16X4, found 40 DPR16X4 (40 TRELLIS_DPR16X4)"
    ]


def test_a_written_memory_may_not_be_flip_flops_but_a_small_table_may_be_logic():
    assert findings(**changed("row", cells={})) == [
        "row.memory: kind: expected one kind of RAM, found flip-flops and logic"
    ]
    assert findings(**changed("table", cells={})) == []


def test_another_shape_is_reported():
    assert findings(**changed("row", depth=128, cells={"TRELLIS_DPR16X4": 40})) == [
        "row.memory: shape: expected 64 x 18, found 128 x 18"
    ]
    assert findings(**changed("table", width=28, cells={})) == [
        "table: shape: expected 256 x 27, found 256 x 28"
    ]


@pytest.mark.parametrize(
    ("device", "depth", "width", "lane", "units"),
    [
        (ECP5, 16384, 1, 1, 1),
        (ECP5, 1024, 18, 18, 1),
        (ECP5, 512, 36, 36, 1),
        (ECP5, 512, 37, 37, 2),
        (ECP5, 4096, 16, 16, 4),  # parity bits unused: 16 of 18 Kbit each
        (ECP5, 512, 128, 16, 4),  # a lane of 16 takes two bytes of 9
        (ECP5, 512, 36, 9, 1),
        (ECP5, 512, 36, 6, 2),  # a lane of 6 takes a byte of 9: four of six lanes to a block
        (ECP5, 2049, 9, 9, 2),
        (XILINX, 4096, 16, 16, 4),
        (XILINX, 2048, 32, 32, 4),
        (XILINX, 1, 1, 1, 1),
    ],
)
def test_least_block_rams(device: Device, depth: int, width: int, lane: int, units: int):
    assert device.block is not None
    assert device.block.least(depth, width, lane) == units


@pytest.mark.parametrize(
    ("device", "depth", "width", "units"),
    [(ECP5, 16, 4, 1), (ECP5, 17, 5, 4), (XILINX, 64, 18, 24), (XILINX, 32, 16, 12)],
)
def test_least_lut_rams(device: Device, depth: int, width: int, units: int):
    assert device.lutram is not None
    assert device.lutram.least(depth, width, width) == units


@pytest.mark.parametrize("config", CONFIGS.values(), ids=lambda config: config.name)
def test_the_declaration_has_two_cache_memories_per_head_and_layer(config):
    config = config.with_cache(CacheBacking.ON_CHIP)
    cache = cache_memories(config)
    assert len(cache) == 2 * config.shape.kv_heads * config.shape.layers
    names = [memory.name for memory in memories(config)]
    assert len(set(names)) == len(names)


def test_an_external_cache_declares_its_queue_and_its_buffer():
    cache = cache_memories(named("llama2_7b"))
    assert [(memory.name, memory.depth, memory.width) for memory in cache] == [
        ("cache.writer.queue", 8192, 16),
        ("cache.reader.buffer", 64, 2048),
    ]
    assert set(cache) < set(memories(named("llama2_7b")))


def test_the_planted_bank_is_one_that_only_block_ram_may_hold():
    bank = cache_memories(gate.SMALL)[0]
    assert bank.depth * bank.width >= BLOCK_BITS


def test_ram_cells_go_to_the_memory_they_are_named_for():
    parameters = {"SIZE": "100", "WIDTH": "11", "RD_PORTS": "1", "WR_PORTS": "1"}
    logical = {"a$7.memory": {"parameters": parameters}, "a$7.memory.b": {"parameters": parameters}}
    mapped = {
        "a$7.memory.0.0": {"type": "DP16KD"},
        "a$7.memory.b.0.1": {"type": "DP16KD"},
        "stray": {"type": "DP16KD"},
        "logic": {"type": "$and"},
    }
    memories = {memory.name: memory for memory in match(logical, mapped, ECP5)}
    shape = dict(depth=4, width=3, reads=1, writes=1)
    assert memories == {
        "a.memory": MappedMemory(name="a.memory", **shape, cells={"DP16KD": 1}),
        "a.memory.b": MappedMemory(name="a.memory.b", **shape, cells={"DP16KD": 1}),
        "stray": MappedMemory(
            name="stray", depth=0, width=0, reads=0, writes=0, cells={"DP16KD": 1}
        ),
    }


def test_there_must_be_a_reader_to_plant_beside():
    text = decoder_rtlil(named("nano"))
    with pytest.raises(ValueError, match="'nothing' has 0 read"):
        second_reader(text, "nothing")


@pytest.fixture(scope="module")
def small() -> str:
    return decoder_rtlil(gate.SMALL)


def test_a_real_netlist_is_as_declared_and_a_second_reader_doubles_its_bank(small: str):
    bank = cache_memories(gate.SMALL)[0].name
    good = gate.judge(gate.SMALL, ECP5, small, lambda *_: None)
    assert good.ok and good.findings == []
    bad = gate.judge(gate.SMALL, ECP5, small, lambda *_: None, bug=bank)
    assert bad.ok  # it was caught
    assert {(finding.memory, finding.what) for finding in bad.findings} == {
        (bank, "ports"),
        (bank, "RAM"),
    }
    assert not dataclasses.replace(bad, bug=None).ok
    assert not dataclasses.replace(good, bug=bank).ok


def test_a_netlist_with_an_external_cache_is_as_declared():
    text = decoder_rtlil(gate.EXTERNAL)
    verdict = gate.judge(gate.EXTERNAL, ECP5, text, lambda *_: None)
    assert verdict.ok and verdict.cache_found == 2


def test_a_forgotten_declaration_is_red(small: str):
    mapped = mapped_memories(small, ECP5, f"{gate.SMALL.name}-8", lambda *_: None)
    declared = memories(gate.SMALL)
    for memory in (declared[0], declared[-1]):
        rest = [other for other in declared if other is not memory]
        (finding,) = check(rest, mapped, ECP5)
        assert (finding.memory, finding.what, finding.expected) == (memory.name, "memory", "none")


def test_the_command_tells_the_verdict(monkeypatch, tmp_path):
    bad = gate.Verdict(
        config="nano", lanes=4, device="ecp5", declared=3, cache_expected=8, cache_found=9,
        block_rams=7, bug=None, findings=check([BANK], [], ECP5),
    )  # fmt: skip
    monkeypatch.setattr("synth.__main__.judge_bugs", lambda report: iter(()))
    monkeypatch.setattr("synth.__main__.judge_all", lambda cases, report: iter([bad]))
    monkeypatch.setattr("synth.__main__.BUILD", tmp_path)
    answer = CliRunner().invoke(main, ["ports"])
    assert answer.exit_code == 1
    assert "nano-4, ecp5: cache.bank: memory: expected 4096 x 16, found none" in answer.output
    (verdict,) = json.loads((tmp_path / "ports.json").read_text())["verdicts"]
    assert verdict["ok"] is False and verdict["findings"][0]["memory"] == "cache.bank"
