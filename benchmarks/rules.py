"""What each rule of `sim.tune` is worth: speed, and instructions per clock cycle.

Valgrind counts the instructions, so other load changes nothing, but they leave out what costs most:
branches that are predicted wrongly, and code that the cache does not hold. The code uses AVX2, the
most that valgrind knows.
"""

import functools
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from amaranth.back import rtlil

from benchmarks.measure import interleaved
from benchmarks.report import Row
from golden.checkpoint import Checkpoint
from golden.image import pack
from golden.quantise import quantise
from sim.build import FLAGS, copy_driver, decoder_component, defines, script
from sim.harness import Harness
from sim.tune import RULES, tune
from spec.config import Config
from tools.compiler import find_compiler, runtime_headers
from tools.yosys import run_tool, run_yosys

#: Tokens of a run that is timed, and of two whose difference is counted.
TIMED, SHORT, LONG = 64, 1, 9
_MAIN = """\
#include "ports.h"
#include "native.h"
#include "design.cc"
#include "driver.cc"

// Greedy text of as many tokens as the second argument says, with the weights of the first.
int main(int, char **arguments) {
  std::vector<uint8_t> image(std::stoull(arguments[3]));
  if (fread(image.data(), 1, image.size(), fopen(arguments[1], "rb")) != image.size()) return 1;
  vd_sim *sim = vd_open(image.data(), image.size() / VD_BEAT_BYTES, 0, 0, 1 << 20);
  vd_result result{FIRST};
  for (int n = 0; n < std::stoi(arguments[2]); n++)
    if (vd_step(sim, result.id, n == 0, 1, &result) != VD_OK) return 2;
  printf("%" PRIu64 " cycles\\n", vd_cycle(sim));
}
"""


def rows(
    checkpoint: Checkpoint, config: Config, rounds: int, report: Callable[[str], None]
) -> Iterator[Row]:
    """The simulation with all rules, without each of them, and of CXXRTL's own code."""
    topic = f"rules of sim.tune, {config.geometry.lanes} lanes"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report(f"{topic}: yosys")
        harness = Harness(config, decoder_component(config), traced=False)
        text = rtlil.convert(harness, name="top", ports=harness.ports, emit_src=False)
        (folder / "design.il").write_text(text)
        run_yosys(script("fast"), folder)
        generated = (folder / "design.cc").read_text()
        copy_driver(folder)
        (folder / "ports.h").write_text(defines(config, "fast") + "#define VD_FEEDBACK 0\n")
        (folder / "main.cc").write_text(_MAIN.replace("FIRST", str(config.shape.first_id)))
        (folder / "image").write_bytes(pack(quantise(checkpoint, config)).tobytes())
        texts = {"all rules": tune(generated)}
        texts |= {f"without {rule}": tune(generated, without=(rule,)) for rule in RULES}
        texts["CXXRTL's own code"] = generated
        jobs = {}
        for number, (name, text) in enumerate(texts.items()):
            report(f"{topic}: {name}")
            (folder / "design.cc").write_text(text)
            _compile(folder, f"./main{number}")
            jobs[name] = functools.partial(_cycles, folder, TIMED, f"./main{number}")
        report(f"{topic}: timing")
        rate = interleaved(jobs, rounds)
        for name in texts:
            worth = rate["all rules"] / rate[name] - 1
            yield Row(topic, name, rate[name], "cycles/s", note=f"{worth:+.1%} time")
        for number, name in enumerate(texts):
            report(f"{topic}: {name}, instructions")
            count, note = None, "valgrind is not installed"
            if shutil.which("valgrind") is not None:
                count, note = _instructions(folder, f"./main{number}"), ""
            yield Row(topic, name, count, "instructions/cycle", note=note)


def _compile(folder: Path, program: str) -> None:
    flags = [flag.replace("native", "x86-64-v3") for flag in FLAGS["fast"]]
    include = [f"-I{runtime_headers()}", "-I."]
    run_tool([*find_compiler().command, *flags, *include, "main.cc", "-o", program], folder)


def _cycles(folder: Path, tokens: int, *program: str) -> int:
    """Run `program`; returns the clock cycles."""
    size = (folder / "image").stat().st_size
    return int(run_tool([*program, "image", str(tokens), str(size)], folder).split()[0])


def _instructions(folder: Path, program: str) -> float:
    """Instructions per cycle. The difference of two runs leaves out their start."""
    tool = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file=log")
    counts = []
    for tokens in (SHORT, LONG):
        cycles = _cycles(folder, tokens, *tool, program)
        collected = re.search(r"Collected : (\d+)", (folder / "log").read_text())
        assert collected is not None, "callgrind reports no count"
        counts.append((int(collected[1]), cycles))
    (first, begin), (second, end) = counts
    return (second - first) / (end - begin)
