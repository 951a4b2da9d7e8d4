"""A closed formal model (a component, a theorem about it, free inputs), and its RTLIL."""

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
    """`dut` and `theorem` side by side; every input of `dut` is free unless it is driven.

    Parameters
    ----------
    dut : wiring.Component
        The component that the theorem is about.
    theorem : Theorem
    glue : Module, optional
        Statements that connect the theorem to internal signals, made by the harness.
    driven : collection of str
        Inputs of `dut` that `glue` drives.
    inside : Elaboratable, optional
        `dut` already elaborated, when the harness needs what is made there: an FSM, the ports of
        memories, all registers.
    resets : bool
        Whether reset may be high in any cycle. Otherwise it stays low.
    outputs : mapping of str to Signal
        Extra outputs of the model, for engines that take properties from named outputs.
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
        """Clock, reset if free, the free inputs, and the extra outputs, in Amaranth's form.

        Amaranth infers the directions: undriven signals are inputs.
        """
        ports = {"clk": self.domain.clk}
        if self.resets:
            ports["rst"] = self.domain.rst
        for path, member, port in self.dut.signature.flatten(self.dut):
            name = "__".join(map(str, path))
            value = Value.cast(port)
            # That a stream which never waits is ready is a constant.
            free = isinstance(value, Signal) and len(value) > 0 and name not in self.driven
            if member.flow == wiring.In and free:
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
    #: Suppositions without a statement in the netlist, see `Theorem.besides`.
    besides: list[str] = field(default_factory=list)


def netlist(model: Model) -> Netlist:
    """Elaborate `model` and name its property cells ``assert_x``, ``assume_x``, ``cover_x``.

    Raises ValueError for a property without a name, or two of one kind with the same name.
    """
    # Amaranth would write the initial content of memories. Without it, proofs hold for any content,
    # which is stronger; solvers need no constraint per word; and writing takes less time.
    with patch.object(rtlil.ModuleEmitter, "emit_memory", lambda *cell: None):
        text = rtlil.convert(model, ports=model.ports(), emit_src=False)

    names: dict[str, list[str]] = {"assert": [], "assume": [], "cover": []}

    def rename(match: re.Match) -> str:
        names[match["flavor"]].append(match["name"])
        return f"  cell $check \\{match['flavor']}_{match['name']}\n{match['body']}"

    text = _CHECK.sub(rename, text)
    for flavor, flavor_names in names.items():
        for name, times in Counter(flavor_names).items():
            if times > 1 or not re.fullmatch(r"[a-z]\w*", name):
                raise ValueError(f"{flavor} {name!r} occurs {times} times in the model")
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
