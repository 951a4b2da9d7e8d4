"""The planted bug of the RAM-port gate: a second reader on one bank."""

import re

from synth.netlist import TOP

_READ_PORT = r"""  cell \$memrd_v2 \S+
    parameter \\MEMID "\\\\{name}"
(?:    .*\n)*?  end
"""


def second_reader(text: str, memory: str) -> str:
    """RTLIL `text` with another read port on `memory`, a path.

    The new port reads at the complement of the first one's address, so that no tool can share the
    port; the design reads both words, combined. Raises ValueError unless exactly one such memory
    exists, with exactly one read port.
    """
    parent, _, name = f"{TOP}.{memory}".rpartition(".")
    module = re.search(rf"^module \\{re.escape(parent)}(?:\$\d+)?$.*?^end$", text, re.M | re.S)
    ports = re.findall(_READ_PORT.format(name=re.escape(name)), module[0]) if module else []
    if module is None or len(ports) != 1:
        raise ValueError(f"memory {memory!r} has {len(ports)} read ports, not 1")
    planted = module[0].replace(ports[0], _two_readers(ports[0]))
    return text[: module.start()] + planted + text[module.end() :]


def _two_readers(port: str) -> str:
    def parameter(name: str) -> int:
        return int(re.search(rf"parameter \\{name} (\d+)", port)[1])  # type: ignore[index]

    def connection(name: str) -> str:
        return re.search(rf"connect \\{name} (.+)", port)[1]  # type: ignore[index]

    address_bits, width = parameter("ABITS"), parameter("WIDTH")
    first = port.replace(f"connect \\DATA {connection('DATA')}", "connect \\DATA \\planted_first")
    second = re.sub(r"cell \$memrd_v2 \S+", r"cell $memrd_v2 \\planted_reader", port)
    second = second.replace(
        f"connect \\ADDR {connection('ADDR')}", "connect \\ADDR \\planted_address"
    )
    second = second.replace(
        f"connect \\DATA {connection('DATA')}", "connect \\DATA \\planted_second"
    )
    return f"""\
  wire width {address_bits} \\planted_address
  wire width {width} \\planted_first
  wire width {width} \\planted_second
  cell $not \\planted_not
    parameter \\A_SIGNED 0
    parameter \\A_WIDTH {address_bits}
    parameter \\Y_WIDTH {address_bits}
    connect \\A {connection("ADDR")}
    connect \\Y \\planted_address
  end
  cell $xor \\planted_xor
    parameter \\A_SIGNED 0
    parameter \\B_SIGNED 0
    parameter \\A_WIDTH {width}
    parameter \\B_WIDTH {width}
    parameter \\Y_WIDTH {width}
    connect \\A \\planted_first
    connect \\B \\planted_second
    connect \\Y {connection("DATA")}
  end
{first}{second}"""
