"""Liveness under fairness, by liveness-to-safety and PDR.

ABC takes its obligations from the names of outputs: ``assume_fair_x`` is assumed, ``assert_fair_x``
to be proved high infinitely often.
"""

import re
import subprocess
import time
from collections import defaultdict
from pathlib import Path

from vcd import VCDWriter

from formal.engines.outcome import Job, Outcome, digest_of
from formal.engines.programs import launch
from formal.report.waves import PERIOD
from properties.dialect import ASSERT_FAIR

_SCRIPT = """\
read_rtlil model.il
prep -flatten -top top
delete */t:$check
opt_clean
setundef -undriven -anyseq
opt_clean
select -assert-none t:$anyseq
memory_map
techmap
opt -full
dfflegalize -cell $_DFF_P_ 01
aigmap
opt_clean
write_blif model.blif
"""


#: Names that the transformation adds.
_ADDED = ("SAVE_BIERE", "SAVED_LO", "__SHADOW", "__LIVENESS", "__FAIRNESS")
_PROOF = "read_blif model.blif; strash; l2s; pdr; write_cex -n -f loop.txt"


def run(job: Job, folder: Path) -> Outcome:
    """Prove the ``assert_fair_`` outputs of the netlist, or find a loop without one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.il").write_text(job.netlist)
    (folder / "model.ys").write_text(_SCRIPT)
    loop, trace = folder / "loop.txt", folder / "trace.vcd"
    for stale in (loop, trace):
        stale.unlink(missing_ok=True)
    launch.abc_program()  # raises if it is not installed
    start = time.monotonic()
    log = folder / "logfile.txt"
    try:
        with log.open("w") as sink:
            for command in (["yosys", "-q", "model.ys"], ["yosys-abc", "-c", _PROOF]):
                launch.run(command, folder, job.timeout, stdout=sink, stderr=sink)
                _refuse(folder / "model.blif")
        status = _status(log.read_text())
    except subprocess.TimeoutExpired:
        status = "TIMEOUT"
    except subprocess.CalledProcessError:
        status = "ERROR"
    claims = _claims(folder / "model.blif")
    cycles = _write_trace(loop, trace) if status == "FAIL" else None
    return Outcome(
        status=status,
        seconds=round(time.monotonic() - start, 1),
        named=claims if status == "FAIL" else (),
        found=claims,
        netlist=digest_of(folder / "model.il"),
        cycles=cycles,
        trace=str(trace) if cycles else None,
        log=str(log),
    )


def _status(text: str) -> str:
    if "Property proved" in text:
        return "PASS"
    return "FAIL" if re.search(r"was asserted in frame", text) else "ERROR"


def _refuse(blif: Path) -> None:
    """Raise ValueError for initial values and clocks that ABC would misinterpret."""
    text = blif.read_text()
    pins = [line.split()[3:] for line in re.findall(r"^\.latch .*", text, re.MULTILINE)]
    inputs = re.findall(r"^\.inputs (.*)", text, re.MULTILINE)
    if any(initial not in "01" for _, _, initial in pins):
        raise ValueError("l2s does not support registers without an initial value")
    clocks = {(edge, clock) for edge, clock, _ in pins}
    if len(clocks) > 1 or not {clock for _, clock in clocks} <= set(" ".join(inputs).split()):
        raise ValueError("l2s supports only one clock, an input")


def _claims(blif: Path) -> tuple[str, ...]:
    """Names of the claims in the file that ABC read."""
    if not blif.exists():
        return ()
    outputs = re.search(r"^\.outputs (.*)", blif.read_text(), re.MULTILINE)
    names = outputs[1].split() if outputs else []
    return tuple(
        sorted(name.removeprefix(ASSERT_FAIR) for name in names if name.startswith(ASSERT_FAIR))
    )


def _write_trace(loop: Path, trace: Path) -> int | None:
    """Write ABC's counterexample as a VCD of inputs and registers; returns its length.

    The cycles in which `loop` is high repeat forever: the last has the same state as the first.
    """
    if not loop.exists():
        return None
    frames: dict[int, dict[str, str]] = defaultdict(dict)
    for name, cycle, bit in re.findall(r"(\S+)@(\d+)=([01x])", loop.read_text()):
        frames[int(cycle)][name] = bit
    cycles = range(len(frames))
    widths: dict[str, int] = {}
    for name in frames[0]:
        # Signals added by the transformation, and the clock, are not part of the model.
        if "$" not in name and name != "clk" and not name.endswith(_ADDED):
            word, _, bit = name.removesuffix("]").partition("[")
            widths[word] = max(widths.get(word, 0), int(bit or 0) + 1)
    with trace.open("w") as file, VCDWriter(file, timescale="1 ns") as vcd:
        looping = vcd.register_var("top", "loop", "wire", 1)
        words = {
            word: vcd.register_var(
                ".".join(["top", *word.split(".")[:-1]]), word.split(".")[-1], "wire", width
            )
            for word, width in widths.items()
        }
        for cycle in cycles:
            bits = frames[cycle]
            time = cycle * PERIOD
            vcd.change(looping, time, int("1" in (bits["SAVED_LO"], bits["SAVE_BIERE"])))
            for word, variable in words.items():
                names = [f"{word}[{n}]" for n in reversed(range(widths[word]))]
                value = "".join(bits.get(name, "x") for name in names)
                vcd.change(variable, time, bits.get(word, value))
        vcd.flush(len(cycles) * PERIOD)
    return len(cycles)
