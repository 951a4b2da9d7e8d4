"""The devices: shapes of their RAMs, cells to count, and yosys commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from spec.derived import ceil_div
from tools.errors import BadInput

Resource = Literal["lut", "ff", "dsp", "bram"]
RESOURCES: tuple[Resource, ...] = ("lut", "ff", "dsp", "bram")

#: The shapes (depth, width) of a RAM primitive.
Modes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Ram:
    """One kind of RAM of a device.

    `unit` is the primitive in which it is counted, `cells` the cells of that kind with the units of
    each, `modes` the shapes for a number of units, `byte` the bits per write enable.
    """

    unit: str
    cells: Mapping[str, int]
    modes: Mapping[int, Modes]
    byte: int

    def least(self, depth: int, width: int, lane: int) -> int:
        """Least units that hold `depth` words of `width` bits, written `lane` bits at a time.

        One shape is used throughout, as in the tools. Every lane has its own write enables: a lane
        narrower than a unit takes whole bytes of it; a wider one takes whole units.
        """
        lanes = ceil_div(width, lane)
        costs = []
        for units, shapes in self.modes.items():
            for rows, bits in shapes:
                lane_bits = ceil_div(lane, self.byte) * self.byte
                if lanes == 1:
                    columns = ceil_div(width, bits)
                elif lane_bits <= bits:
                    columns = ceil_div(lanes, bits // lane_bits)
                else:
                    columns = lanes * ceil_div(lane, bits)
                costs.append(units * columns * ceil_div(depth, rows))
        return min(costs)


class Band(NamedTuple):
    """Neighbouring rows of a device, as sites from left to right: two rows of block RAMs, for keys
    and for values, and one of multipliers. All have the same number at about the same columns."""

    keys: tuple[str, ...]
    values: tuple[str, ...]
    lanes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device family, and its synthesis by yosys."""

    name: str
    title: str
    synth: str
    """The yosys command."""
    memory_stages: tuple[str, str]
    """Labels of that command before and after the mapping of memories."""
    cells: Mapping[Resource, Mapping[str, int]]
    """Cells of each resource (a trailing * matches any ending), with their weights."""
    block: Ram | None = None
    lutram: Ram | None = None
    nextpnr: tuple[str, ...] = ()
    """Options that select the part; empty if the device is not placed."""
    placed: Mapping[Resource, str] = field(default_factory=dict)
    """The name of each resource in nextpnr."""
    bands: tuple[Band, ...] = ()
    """The rows for `synth.floorplan`, from top to bottom."""

    def count(self, cells: Mapping[str, int]) -> dict[Resource, int]:
        """Resources used by `cells`, given as a number for each type."""

        def weight(known: Mapping[str, int], cell: str) -> int:
            return next(
                (
                    count
                    for name, count in known.items()
                    if cell == name or (name.endswith("*") and cell.startswith(name[:-1]))
                ),
                0,
            )

        return {
            resource: sum(weight(self.cells[resource], cell) * n for cell, n in cells.items())
            for resource in RESOURCES
        }


_EIGHTEEN = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
_THIRTY_SIX = ((32768, 1), (16384, 2), (8192, 4), (4096, 9), (2048, 18), (1024, 36), (512, 72))


def _row(y: int, kind: str, offsets: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """The sites in one row of the LFE5U-85F: 13 groups of 9 columns, 2 more after the seventh.

    `offsets` gives column and number of each site of a group.
    """
    return tuple(
        f"X{4 + 9 * group + 2 * (group >= 7) + column}/Y{y}/{kind}{number}"
        for group in range(13)
        for column, number in offsets
    )


def _band(keys: int, values: int, lanes: int) -> Band:
    rams, multipliers = ((0, 0), (2, 1), (4, 2), (6, 3)), ((0, 0), (1, 1), (4, 4), (5, 5))
    return Band(
        keys=_row(keys, "EBR", rams),
        values=_row(values, "EBR", rams),
        lanes=_row(lanes, "MULT18_", multipliers),
    )


ECP5 = Device(
    name="ecp5",
    title="LFE5U-85F, speed grade 6",
    synth="synth_ecp5",
    memory_stages=("map_ram", "map_ffram"),
    # A carry cell uses two LUTs; a RAM of 16 x 4 uses four, and two for its write port.
    cells={
        "lut": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        "ff": {"TRELLIS_FF": 1},
        "dsp": {"MULT18X18D": 1},
        "bram": {"DP16KD": 1, "PDPW16KD": 1},
    },
    block=Ram(unit="DP16KD", cells={"DP16KD": 1, "PDPW16KD": 1}, modes={1: _EIGHTEEN}, byte=9),
    lutram=Ram(unit="DPR16X4", cells={"TRELLIS_DPR16X4": 1}, modes={1: ((16, 4),)}, byte=4),
    nextpnr=("--85k", "--speed", "6", "--package", "CABGA756"),
    placed={"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D", "bram": "DP16KD"},
    bands=(_band(22, 46, lanes=34), _band(70, 82, lanes=58)),
)

XILINX = Device(
    name="xilinx",
    title="Xilinx 7 series",
    synth="synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
    memory_stages=("map_memory", "map_ffram"),
    cells={
        "lut": {
            **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
            "RAM32M": 4, "RAM64M": 4, "RAM32X1D*": 2, "RAM64X1D*": 2, "RAM128X1D*": 4,
            "RAM32X1S*": 1, "RAM64X1S*": 1, "RAM128X1S*": 2, "RAM256X1S*": 4,
            "SRL16E": 1, "SRLC32E": 1,
        },
        "ff": {"FD*": 1},
        "dsp": {"DSP48E1": 1},
        "bram": {"RAMB18E1": 1, "RAMB36E1": 2},
    },
    block=Ram(
        unit="RAMB18",
        cells={"RAMB18E1": 1, "RAMB36E1": 2},
        modes={1: _EIGHTEEN, 2: _THIRTY_SIX},
        byte=9,
    ),
    lutram=Ram(
        unit="LUT",
        cells={"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4},
        modes={2: ((32, 1), (64, 1)), 4: ((32, 6), (64, 3), (128, 1))},
        byte=1,
    ),
)  # fmt: skip

ICE40 = Device(
    name="ice40",
    title="iCE40 UltraPlus",
    synth="synth_ice40 -device u -dsp",
    memory_stages=("map_ram", "map_ffram"),
    cells={
        "lut": {"SB_LUT4": 1},
        "ff": {"SB_DFF*": 1},
        "dsp": {"SB_MAC16": 1},
        "bram": {"SB_RAM40_4K*": 1},
    },
)

DEVICES = {device.name: device for device in (ECP5, XILINX, ICE40)}


def device_named(name: str) -> Device:
    """The device; raises :class:`BadInput` that lists the valid names."""
    try:
        return DEVICES[name]
    except KeyError:
        raise BadInput(f"device {name!r} is not one of {', '.join(DEVICES)}") from None
