"""docs/cost.md: the committed figures of cost, as a table."""

from collections.abc import Iterator

from design.decoder import multipliers
from spec.config import named
from synth.baseline import Record, read_baseline
from synth.devices import DEVICES
from tools.sources import ROOT

PAGE = ROOT / "docs" / "cost.md"

_HEAD = """\
# Cost on devices

`python -m synth table --write` generates this page from `synth/baseline.json`, the figures that
`nox -s synth` compares with; [synthesis](synthesis.md) says how they are measured. ECP5 is placed
and routed, the others are estimates of yosys. In brackets, the multipliers that the design
declares.

"""
_COLUMNS = (
    "configuration", "lanes", "device", "LUT", "flip-flops", "DSP", "block RAM", "fmax, MHz",
    "cycles a token", "tokens/s",
)  # fmt: skip


def page() -> str:
    """The whole page, as Markdown."""
    rows = [_COLUMNS, ("---",) * 3 + ("---:",) * (len(_COLUMNS) - 3), *_rows()]
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows() -> Iterator[tuple[str, ...]]:
    """A row per record; configurations and devices in the order of their tables."""
    records = {tuple(key.rsplit("-", 2)): record for key, record in read_baseline().items()}
    for config, lanes, device in sorted(
        records, key=lambda key: (key[0], int(key[1]), list(DEVICES).index(key[2]))
    ):
        record: Record = records[config, lanes, device]
        declared = multipliers(named(config).with_lanes(int(lanes)))
        yield (
            config, lanes, DEVICES[device].title, f"{record['lut']:,}", f"{record['ff']:,}",
            f"{record['dsp']} ({declared})", str(record["bram"]), _shown(record, "fmax_mhz", ".1f"),
            _shown(record, "cycles_per_token", ",.0f"), _shown(record, "tokens_per_s", ",.0f"),
        )  # fmt: skip


def _shown(record: Record, name: str, form: str) -> str:
    return f"{record[name]:{form}}" if name in record else ""
