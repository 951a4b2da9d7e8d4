"""The committed figures of cost, with which changes are compared."""

import json
from pathlib import Path
from typing import Any

from synth.devices import RESOURCES
from tools.errors import BadInput
from tools.files import reading, write_atomically

BASELINE = Path(__file__).with_name("baseline.json")

#: Figures that are compared, in addition to the resources.
FIGURES = ("fmax_mhz", "cycles_per_token", "tokens_per_s")

#: A record of area.json, or the part of one in the baseline.
Record = dict[str, Any]


def key(record: Record) -> str:
    """The key of a record: configuration, lanes and device."""
    return f"{record['config']}-{record['lanes']}-{record['device']}"


def kept(record: Record) -> Record:
    """The part of `record` that the baseline keeps."""
    figures = {name: record[name] for name in FIGURES if name in record}
    return {**{name: record["used"][name] for name in RESOURCES}, **figures}


def read_baseline(path: Path = BASELINE) -> dict[str, Record]:
    """The figures by key; empty if the file does not exist."""
    if not path.exists():
        return {}
    with reading(path) as (file, _):
        try:
            return json.load(file)["records"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"is not a baseline ({error}): write a new one") from None


def write_baseline(records: list[Record], path: Path = BASELINE) -> None:
    """Replace the figures of the measured records, and keep the others."""
    known = read_baseline(path) | {key(record): kept(record) for record in records}
    tools = sorted({tool for record in records for tool in record["tools"]})
    content = {"tools": tools, "records": dict(sorted(known.items()))}
    write_atomically(path, json.dumps(content, indent=2) + "\n")
