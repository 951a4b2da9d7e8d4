"""``python -m benchmarks speed``: tokens per second of the three decoders, in one run."""

import json
import time
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from design.cli import Cli
from design.decoder import multipliers
from design.files import check_writable, write_atomically
from golden.calibrate import config_for
from golden.checkpoint import Checkpoint, read_checkpoint
from golden.fixed_decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.image import pack
from golden.quantise import quantise
from golden.tokenizer import BOS
from sim.rtl_decoder import RtlDecoder

Row = dict[str, float | int | str | None]


def golden_speed(name: str, decoder: FloatDecoder | FixedDecoder, steps: int) -> Row:
    """Greedy decoding of `decoder.batch` sequences over `steps` positions."""
    tokens = np.full(decoder.batch, BOS)
    begin = time.perf_counter()
    for _ in range(steps):
        tokens = decoder.step(tokens).argmax(axis=1)
    seconds = time.perf_counter() - begin
    return {
        "decoder": name,
        "batch": decoder.batch,
        "tokens_per_s": decoder.batch * steps / seconds,
    }


def rtl_speed(checkpoint: Checkpoint, lanes: int, steps: int) -> Row:
    """Greedy decoding of one sequence in compiled simulation."""
    config = config_for(checkpoint, lanes=lanes)
    image = pack(quantise(checkpoint, config))
    with RtlDecoder(config, image) as rtl:
        begin = time.perf_counter()
        tokens = 0
        while tokens < steps:  # a text that ends is followed by another
            tokens += sum(1 for _ in rtl.generate([BOS], steps - tokens)) or 1
        seconds = time.perf_counter() - begin
        utilisation = rtl.macs / (lanes * rtl.cycles)
        return {
            "decoder": f"RTL, {lanes} lanes",
            "batch": 1,
            "tokens_per_s": tokens / seconds,
            "cycles_per_token": rtl.cycles / tokens,
            "array_utilisation": utilisation,
            "dsp_utilisation": utilisation * lanes / multipliers(config),
            "cycles_per_s": rtl.cycles / seconds,
            "build_seconds": rtl.build.seconds,
        }


@click.group(cls=Cli)
def main() -> None:
    """Speed, measured on this machine."""


@main.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--steps", default=256, show_default=True, help="Positions.")
@click.option("--batch", default=64, show_default=True, help="Sequences of the golden decoders.")
@click.option("--lanes", multiple=True, type=int, default=(8, 64), show_default=True)
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the rows here.")
def speed(
    checkpoint: Path, steps: int, batch: int, lanes: tuple[int, ...], output: Path | None
) -> None:
    """Measure every decoder on CHECKPOINT, on one core."""
    check_writable(output, "--json")
    read = read_checkpoint(checkpoint)
    steps = min(steps, read.shape.seq_len)
    model = quantise(read, config_for(read))
    rows = [
        golden_speed("float64", FloatDecoder(read, batch, np.float64), steps),
        golden_speed("float32", FloatDecoder(read, batch, np.float32), steps),
        golden_speed("fixed", FixedDecoder(model, batch), steps),
        *(rtl_speed(read, number, steps) for number in lanes),
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_shown(row.get(column)) for column in columns))
    Console(width=140).print(table)
    if output is not None:
        write_atomically(output, json.dumps(rows, indent=2) + "\n")


def _shown(value: float | int | str | None) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if value < 10 else f"{value:,.0f}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
