"""Amaranth -> RTLIL -> CXXRTL -> a shared library, cached by content.

The library contains the decoder and the C++ clock loop of `sim/driver/`. A cache entry is a folder
that appears by an atomic rename, so that parallel and interrupted builds are harmless.
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from amaranth.back import rtlil
from amaranth.lib import wiring

from design.ports import KV_BURST
from sim.harness import Harness
from sim.tune import tune
from spec.config import CacheBacking, Config
from spec.kv_layout import kv_layout
from tools import cache
from tools.compiler import compile_library, find_compiler, processor, runtime_headers
from tools.errors import BadInput
from tools.files import write_atomically
from tools.sources import SOURCES
from tools.yosys import run_yosys, yosys_version

#: `fast` has no trace; the others have. `quick` is the fastest to build, for designs that are
#: simulated once; `waves` can record waveforms; `plain` is CXXRTL's own code, without `sim.tune`
#: and `native.h`, for a second opinion about these.
Variant = Literal["fast", "traced", "quick", "waves", "plain"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)

#: The clock loop in C++.
DRIVER = Path(__file__).parent / "driver"
# NDEBUG: CXXRTL asserts that addresses are in range even on ports that are not enabled.
_COMMON_FLAGS = ("-DNDEBUG", "-std=c++20", "-w", "-fvisibility=hidden")
#: Compiler flags. -O3 enables vector instructions in the loops over lanes.
FLAGS: dict[Variant, tuple[str, ...]] = {
    "fast": (*_COMMON_FLAGS, "-O3", "-march=native"),
    "traced": (*_COMMON_FLAGS, "-O3", "-march=native"),
    "quick": (*_COMMON_FLAGS, "-O0"),
    "waves": (*_COMMON_FLAGS, "-O0"),
    "plain": (*_COMMON_FLAGS, "-O0"),
}

# Amaranth repeats an expression for every use; opt_merge merges the copies, and wreduce removes
# unused bits. Splitting nets by their drivers prevents wide signals (of all lanes) from being taken
# for feedback arcs, and from being copied as a whole; the second round splits nets exposed by the
# first clean-up. Only wide registers are split: splitting everything would cut adders (as in a
# leading-zero count) into bits, and a wide multiplexer is cheaper than one for each lane.
_SCRIPT = """\
read_rtlil design.il
hierarchy -top top
proc
flatten
opt_expr
opt_clean
{split}
write_cxxrtl {options} design.cc
"""
_SPLIT = """\
opt_merge
wreduce
opt_expr
opt_clean
splitcells t:$dff r:WIDTH>=96 %i
splitnets -driver
opt_clean -purge
splitnets -driver
opt_clean -purge
"""
_OPTIONS: dict[Variant, str] = {
    "fast": "-O6 -g0",
    "traced": "-O6 -g0",
    "quick": "-O6 -g0",
    "waves": "-O6 -g4",
    "plain": "-O6 -g0",
}


@dataclass(frozen=True)
class Build:
    """One compiled simulation."""

    library: Path
    variant: Variant
    seconds: float
    """Time of the build."""
    yosys_seconds: float
    compile_seconds: float
    feedback: tuple[str, ...]
    """Signals in combinational loops; if any, every cycle needs a second evaluation."""
    cached: bool
    """Whether it was in the cache."""


def cache_folder() -> Path:
    """``VERIDECODE_CACHE``, else ``build/sim`` in the repository."""
    default = Path(__file__).parent.parent / "build" / "sim"
    return Path(os.environ.get("VERIDECODE_CACHE") or default).absolute()


def decoder_component(config: Config) -> wiring.Component:
    """The decoder of `design`."""
    from design.decoder import Decoder

    return Decoder(config)


_built: dict[tuple[Config, Variant, bool], Build] = {}


def build(
    config: Config,
    variant: Variant = "fast",
    component: wiring.Component | None = None,
    *,
    quiet: bool = False,
    resettable: bool = False,
) -> Build:
    """Build `component` (by default the decoder) for `config`, or find it in the cache.

    It can be reset if it is `resettable`, which costs speed.

    Raises :class:`BadInput` for an unknown variant or a missing compiler,
    :class:`tools.yosys.BuildError` when a tool fails.
    """
    if variant not in VARIANTS:
        raise BadInput(f"variant = {variant!r} is not one of {', '.join(VARIANTS)}")
    known = (config, variant, resettable)
    if component is not None:
        return _build(config, variant, component, quiet, resettable)
    if known not in _built or not _built[known].library.exists():
        _built[known] = _build_decoder(config, variant, quiet, resettable)
    return _built[known]


def _build_decoder(config: Config, variant: Variant, quiet: bool, resettable: bool) -> Build:
    """Build the decoder, with a cache lookup by the digest of its sources.

    This avoids elaborating the decoder, a third of the build time, at every start.
    """
    sources = SOURCES.digest(__name__)
    if sources is None:
        return _build(config, variant, decoder_component(config), quiet, resettable)
    tools = (*_tools(variant), importlib.metadata.version("amaranth"))
    key = cache.key(repr(config), sources, *tools, str(resettable))
    note = cache_folder() / f"{_prefix(config, variant)}-{key}.built"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return _load(note.parent / note.read_text(), variant)
    made = _build(config, variant, decoder_component(config), quiet, resettable)
    if SOURCES.on_disk(__name__):
        with contextlib.suppress(OSError):  # optional: it only saves time
            write_atomically(note, made.library.parent.name)
    return made


def _prefix(config: Config, variant: Variant) -> str:
    external = "-external" if config.geometry.cache is CacheBacking.EXTERNAL else ""
    return f"{config.name}-{config.geometry.lanes}{external}-{variant}"


def _tools(variant: Variant) -> tuple[str, ...]:
    """The tools that a build depends on."""
    flags = FLAGS[variant]
    native = processor() if "-march=native" in flags else ""
    return script(variant), yosys_version(), find_compiler().identity, " ".join(flags), native


def script(variant: Variant) -> str:
    """The script for yosys."""
    split = _SPLIT if variant not in ("waves", "plain") else ""
    return _SCRIPT.format(split=split, options=_OPTIONS[variant])


def _build(
    config: Config,
    variant: Variant,
    component: wiring.Component,
    quiet: bool,
    resettable: bool,
) -> Build:
    begin = time.perf_counter()
    text = netlist(config, variant, component, resettable=resettable)
    records = len(component.trace) * (variant != "fast")
    constants = defines(config, variant, records=records, resettable=resettable)
    return build_netlist(config, variant, text, constants, quiet=quiet, begin=begin)


def build_netlist(
    config: Config,
    variant: Variant,
    text: str,
    constants: str,
    *,
    quiet: bool = False,
    begin: float | None = None,
) -> Build:
    """Build the RTLIL `text` of a `Harness`, with the `constants` of its driver, or find it in the
    cache. `begin` is when the work on it began, by default now."""
    compiler = find_compiler()
    begin = time.perf_counter() if begin is None else begin
    # The design is already represented by the text and the constants.
    simulator = SOURCES.digest(__name__, but=("spec", "design"))
    # Without a digest the sources are unknown, so the library is used for this call only.
    key = cache.key(text, constants, simulator or secrets.token_hex(), *_tools(variant))
    folder = cache_folder() / f"{_prefix(config, variant)}-{key}"

    def make(scratch: Path) -> None:
        if not quiet:
            name = f"{config.describe()}, {variant}"
            print(f"building the simulation of {name} (cached afterwards) ...", file=sys.stderr)
        (scratch / "design.il").write_text(text)
        yosys_begin = time.perf_counter()
        log = run_yosys(script(variant), scratch)
        yosys_end = time.perf_counter()
        feedback = _feedback(log)
        (scratch / "ports.h").write_text(constants + f"#define VD_FEEDBACK {int(bool(feedback))}\n")
        design = scratch / "design.cc"
        observed = variant == "waves"
        if variant != "plain":
            tuned = tune(design.read_text(), feedback=bool(feedback), observed=observed)
            design.write_text(tuned)
        native = () if variant == "plain" else ("native.h",)
        copies = copy_driver(scratch)
        include_all(scratch / "main.cc", "ports.h", *native, "design.cc", "driver.cc")
        includes = (f"-I{runtime_headers()}", "-I.")
        compile_library(compiler, (*FLAGS[variant], *includes), "main.cc", scratch)
        compile_end = time.perf_counter()
        intermediate = [scratch / name for name in ("design.il", "script.ys", "main.cc")]
        for path in (*copies, *intermediate):
            path.unlink()
        info = {
            "seconds": compile_end - begin,
            "yosys_seconds": yosys_end - yosys_begin,
            "compile_seconds": compile_end - yosys_end,
            "feedback": feedback,
        }
        (scratch / "info.json").write_text(json.dumps(info))

    found, there = cache.made(folder, make, lambda folder: _load(folder, variant))
    return dataclasses.replace(found, cached=there)


def copy_driver(folder: Path) -> list[Path]:
    """Write the digested content of the clock loop into `folder`; the files may have changed."""
    copies = []
    for path in sorted(DRIVER.iterdir()):
        copies.append(folder / path.name)
        copies[-1].write_bytes(SOURCES.content(path))
    return copies


def include_all(source: Path, *names: str) -> None:
    """Write a C++ file that includes the files `names`."""
    source.write_text("".join(f'#include "{name}"\n' for name in names))


def _load(folder: Path, variant: Variant) -> Build:
    info = json.loads((folder / "info.json").read_text())
    info["feedback"] = tuple(info["feedback"])
    library = folder / "decoder.so"
    library.stat()
    return Build(library=library, variant=variant, cached=True, **info)


def netlist(
    config: Config, variant: Variant, component: wiring.Component, *, resettable: bool = False
) -> str:
    """The RTLIL of the simulated top level, around `component`."""
    harness = Harness(config, component, traced=variant != "fast", resettable=resettable)
    # Without source locations, the text and so the cache key do not depend on the folder.
    return rtlil.convert(harness, name="top", ports=harness.ports, emit_src=False)


def _feedback(log: str) -> list[str]:
    """The signals that yosys reports as feedback arcs."""
    lines = iter(log.splitlines())
    signals: list[str] = []
    for line in lines:
        if "contains feedback arcs" in line:
            for wire in lines:
                if not wire.startswith("  "):
                    break
                signals.append(wire.strip())
    return signals


def defines(config: Config, variant: Variant, *, records: int = 0, resettable: bool = False) -> str:
    """The constants for compiling the driver of a decoder that shows so many trace records."""
    each_channel = " ".join(f"VD_CHANNEL({n}, top.p_trace{n})" for n in range(records))
    values = {
        "VD_VOCAB": config.shape.vocab,
        "VD_LOGIT_BITS": config.numerics.logits.width,
        "VD_BEAT_BYTES": config.geometry.lanes * config.numerics.weight_bits // 8,
        "VD_KV_BEATS": kv_layout(config).beats,
        "VD_KV_ELEMENTS": kv_layout(config).elements,
        "VD_KV_BURST": KV_BURST,
        "VD_TRACED": int(records > 0),
        "VD_CHANNELS": records,
        "VD_RESET": int(resettable),
        "VD_WAVES": int(variant == "waves"),
        "VD_EACH_CHANNEL": each_channel,
    }
    return "".join(f"#define {name} {value}\n" for name, value in values.items())
