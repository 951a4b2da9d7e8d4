"""The committed figures, so that a change shows its cost as a difference."""

import json
from pathlib import Path
from typing import Any

from synth.devices import RESOURCES
from tools.errors import BadInput
from tools.files import reading, write_atomically

BASELINE = Path(__file__).with_name("baseline.json")

#: What is compared, beside the resources.
FIGURES = ("fmax_mhz", "cycles_per_token", "tokens_per_s")

#: A record of results.json, and what the baseline keeps of one.
Record = dict[str, Any]


def key(record: Record) -> str:
    """What a record is about."""
    return f"{record['config']}-{record['lanes']}-{record['device']}"


def kept(record: Record) -> Record:
    """What the baseline keeps of `record`."""
    figures = {name: record[name] for name in FIGURES if name in record}
    return {**{name: record["used"][name] for name in RESOURCES}, **figures}


def read_baseline(path: Path = BASELINE) -> dict[str, Record]:
    """The figures by key; none when there is no file."""
    if not path.exists():
        return {}
    with reading(path) as (file, _):
        try:
            return json.load(file)["records"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"is no baseline ({error}): write it anew") from None


def write_baseline(records: list[Record], path: Path = BASELINE) -> None:
    """Replace the figures of what was measured, and keep the others."""
    known = read_baseline(path) | {key(record): kept(record) for record in records}
    tools = sorted({tool for record in records for tool in record["tools"]})
    content = {"tools": tools, "records": dict(sorted(known.items()))}
    write_atomically(path, json.dumps(content, indent=2) + "\n")
