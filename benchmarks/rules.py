"""What each rule of `sim.tune` is worth, in instructions per clock cycle.

Valgrind counts instructions, so other load on the machine changes nothing. The difference of two
runs of different length leaves out the start. The code uses AVX2, the most that valgrind knows.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from amaranth.back import rtlil

from benchmarks.report import Row
from golden.checkpoint import Checkpoint
from golden.image import pack
from golden.quantise import quantise
from sim.build import FLAGS, copy_driver, decoder_component, defines, script
from sim.harness import Harness
from sim.tune import RULES, tune
from spec.config import Config
from tools.compiler import find_compiler, runtime_headers
from tools.errors import BadInput
from tools.yosys import run_tool, run_yosys

#: Tokens of the shorter and of the longer run.
TOKENS = 1, 9
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


def rows(checkpoint: Checkpoint, config: Config, report: Callable[[str], None]) -> Iterator[Row]:
    """Instructions per cycle with all rules, without each of them, and of CXXRTL's own code."""
    if shutil.which("valgrind") is None:
        raise BadInput("valgrind, which counts the instructions, is not installed")
    topic = f"instructions per cycle, {config.geometry.lanes} lanes"
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

        def row(name: str, text: str, whole: float) -> Row:
            report(f"{topic}: {name}")
            count = _instructions(text, folder)
            worth = f"{count / whole - 1:+.1%}" if whole else ""
            return Row(topic, name, count, "", note=worth)

        every = row("all rules", tune(generated), 0)
        yield every
        for rule in RULES:
            yield row(f"without {rule}", tune(generated, without=(rule,)), every.value or 0)
        yield row("CXXRTL's own", generated, every.value or 0)


def _instructions(text: str, folder: Path) -> float:
    """Instructions per cycle of the simulation with `text` as its design."""
    (folder / "design.cc").write_text(text)
    flags = [flag.replace("native", "x86-64-v3") for flag in FLAGS["fast"]]
    include = [f"-I{runtime_headers()}", "-I."]
    run_tool([*find_compiler().command, *flags, *include, "main.cc", "-o", "main"], folder)
    size = str((folder / "image").stat().st_size)
    counts = []
    for tokens in TOKENS:
        tool = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file=log")
        output = run_tool([*tool, "./main", "image", str(tokens), size], folder)
        collected = re.search(r"Collected : (\d+)", (folder / "log").read_text())
        assert collected is not None, "callgrind reports no count"
        counts.append((int(collected[1]), int(output.split()[0])))
    (first, begin), (second, end) = counts
    return (second - first) / (end - begin)
