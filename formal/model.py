"""One closed formal model: a component, a theorem about it, free inputs; and its RTLIL."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from unittest.mock import patch

from amaranth import *
from amaranth.back import rtlil
from amaranth.lib import wiring

from properties.dialect import APART, ASSERT_FAIR, REACHES, Theorem

#: Submodule of the model that holds the theorem.
THEOREM = "theorem"

_CHECK = re.compile(
    r"^  cell \$check \$\d+\n"
    r"(?P<body>(?:    .*\n)*?    parameter \\FORMAT \"(?P<name>.*)\"\n"
    r"(?:    .*\n)*?    parameter \\FLAVOR \"(?P<flavor>\w+)\"\n)",
    re.MULTILINE,
)


class Model(Elaboratable):
    """`dut` and `theorem` side by side, every input of `dut` free unless somebody drives it.

    Parameters
    ----------
    dut : wiring.Component
        What the theorem is about.
    theorem : Theorem
    glue : Module, optional
        Statements that tie the theorem to what no port shows (the harness alone knows insides).
    driven : collection of str
        Inputs of `dut` that `glue` drives.
    inside : Elaboratable, optional
        `dut` already elaborated, when the harness needed what is made there: an FSM, the ports of
        memories, all registers.
    resets : bool
        Whether reset may come in any cycle. Otherwise it stays low.
    outputs : mapping of str to Signal
        Extra outputs of the model, for engines that read properties off named outputs.
    """

    def __init__(
        self,
        dut: wiring.Component,
        theorem: Theorem,
        *,
        glue: Module | None = None,
        driven: Collection[str] = (),
        inside: Elaboratable | None = None,
        resets: bool = True,
        outputs: Mapping[str, Signal] | None = None,
    ):
        self.dut = dut
        self.theorem = theorem
        self.glue = glue or Module()
        self.driven = driven
        self.inside = inside or dut
        self.resets = resets
        self.outputs = outputs or {}
        self.domain = ClockDomain("sync")

    def ports(self) -> dict[str, tuple[Value, None]]:
        """Clock, reset if free, the free inputs, and the extra outputs, as Amaranth wants them.

        The directions are left to Amaranth: what nobody drives is an input.
        """
        ports = {"clk": self.domain.clk}
        if self.resets:
            ports["rst"] = self.domain.rst
        for path, member, port in self.dut.signature.flatten(self.dut):
            name = "__".join(map(str, path))
            value = Value.cast(port)
            if member.flow == wiring.In and name not in self.driven and len(value) > 0:
                ports[name] = value
        return {name: (value, None) for name, value in (ports | dict(self.outputs)).items()}

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.domain
        if not self.resets:
            m.d.comb += self.domain.rst.eq(0)
        m.submodules.dut = self.inside
        m.submodules[THEOREM] = self.theorem
        m.submodules.glue = self.glue
        return m


@dataclass(frozen=True)
class Netlist:
    """RTLIL of a model, with the names of its properties."""

    text: str
    claims: list[str] = field(default_factory=list)
    suppositions: list[str] = field(default_factory=list)
    witnesses: list[str] = field(default_factory=list)
    #: Suppositions that no statement of the netlist makes, see `Theorem.besides`.
    besides: list[str] = field(default_factory=list)


def netlist(model: Model) -> Netlist:
    """Elaborate `model` and name its property cells ``assert_x``, ``assume_x``, ``cover_x``.

    Raises ValueError for a property without a name, or two of one kind with the same name.
    """
    # Amaranth spells out what a RAM holds at power-up. Proving for any content is stronger, the
    # solvers need not read a constraint a word, and writing them takes longer than all the rest.
    with patch.object(rtlil.ModuleEmitter, "emit_memory", lambda *cell: None):
        text = rtlil.convert(model, ports=model.ports(), emit_src=False)

    names: dict[str, list[str]] = {"assert": [], "assume": [], "cover": []}

    def rename(match: re.Match) -> str:
        names[match["flavor"]].append(match["name"])
        return f"  cell $check \\{match['flavor']}_{match['name']}\n{match['body']}"

    text = _CHECK.sub(rename, text)
    for flavor, found in names.items():
        for name, times in Counter(found).items():
            if times > 1 or not re.fullmatch(r"[a-z]\w*", name):
                raise ValueError(f"{flavor} {name!r} stands {times} times in the model")
    if re.search(r"cell \$check \$", text):
        raise ValueError("a property of the model has no name")

    def on_outputs(*prefixes: str) -> list[str]:
        return [o.removeprefix(p) for p in prefixes for o in model.outputs if o.startswith(p)]

    return Netlist(
        text,
        names["assert"] + on_outputs(ASSERT_FAIR, f"{APART}to_"),
        names["assume"],
        names["cover"] + on_outputs(f"{REACHES}to_"),
        list(model.theorem.besides()),
    )
