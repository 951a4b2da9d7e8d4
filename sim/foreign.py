"""Simulators other than CXXRTL behind the same C++ driver: same clock loop, same stimuli.

A class with the ports of the CXXRTL model calls the other simulator in its eval() and commit().
"""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sim.build import Build, Variant, cache_folder, copy_driver, defines
from sim.harness import Harness
from spec.config import Config
from tools import cache
from tools.compiler import find_compiler, processor
from tools.sources import SOURCES

#: Bits of a chunk of CXXRTL's values.
CHUNK = 32
_SHIM = """\
// The model of another simulator, with the ports and the eval() and commit() of CXXRTL's.
#include <cstddef>
#include <cstdint>
#include <cstring>
{head}
namespace cxxrtl {{
template <size_t Bits>
struct value {{
  uint32_t data[(Bits + 31) / 32] = {{}};
  value() = default;
  explicit value(uint32_t low) : data{{low}} {{}}
  template <class T> T get() const {{
    if constexpr (Bits <= 32) return data[0];
    else return data[0] | uint64_t(data[1]) << 32;
  }}
  template <class T> void set(T number) {{
    data[0] = uint32_t(number);
    if constexpr (Bits > 32) data[1] = uint32_t(number >> 32);
  }}
}};
template <size_t Bits> struct wire {{ value<Bits> curr; }};
}}  // namespace cxxrtl

namespace cxxrtl_design {{
struct p_top {{
  // Inputs, then outputs: contiguous chunks.
{members}
  cxxrtl::value<1> prev_p_clk;
{body}
}};
}}  // namespace cxxrtl_design
"""


def member(name: str) -> str:
    """The name of a port in C++, as CXXRTL mangles it."""
    return "p_" + name.replace("_", "__")


def ports_of(harness: Harness) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """(name, bits) of the inputs and of the outputs."""
    inward = harness.directions
    ports = [(port.name, len(port)) for port in harness.ports]
    return (
        [port for port in ports if inward[port[0]]],
        [port for port in ports if not inward[port[0]]],
    )


def shim(harness: Harness, head: str, body: str) -> str:
    """The class, with what `head` declares before it and the methods of `body` in it."""
    inputs, outputs = ports_of(harness)
    members = "\n".join(
        f"  cxxrtl::value<{bits}> {member(name)};" for name, bits in inputs + outputs
    )
    return _SHIM.format(head=head, members=members, body=body)


def build_foreign(
    config: Config,
    kind: str,
    variant: Variant,
    records: int,
    texts: Sequence[str],
    compile_into: Callable[[Path, Sequence[str]], None],
    by: str,
) -> Build:
    """A library of the driver around another simulator, or the one in the cache.

    `compile_into` makes ``decoder.so`` in a folder from ``main.cc``, which it writes, and the
    driver's files and ``ports.h``, which are there, with a compiler. `texts` is what it depends on
    besides the sources of the module `by`.
    """
    compiler = find_compiler()
    sources = SOURCES.digest(by, but=("spec", "design")) or secrets.token_hex()
    constants = defines(config, variant, records=records) + "#define VD_FEEDBACK 0\n"
    key = cache.key(*texts, constants, compiler.identity, processor(), sources)
    folder = cache_folder() / f"{config.name}-{config.geometry.lanes}-{kind}-{key}"

    def make(scratch: Path) -> None:
        begin = time.perf_counter()
        (scratch / "ports.h").write_text(constants)
        kept = {"decoder.so"}
        copy_driver(scratch)
        compile_into(scratch, compiler.command)
        for path in sorted(scratch.rglob("*"), reverse=True):
            if path.name not in kept:
                path.rmdir() if path.is_dir() else path.unlink()
        info = {"seconds": time.perf_counter() - begin}
        (scratch / "info.json").write_text(json.dumps(info))

    def load(folder: Path) -> Build:
        seconds = json.loads((folder / "info.json").read_text())["seconds"]
        return Build(folder / "decoder.so", variant, seconds, 0.0, seconds, (), cached=True)

    return cache.made(folder, make, load)[0]
