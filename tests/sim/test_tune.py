"""The rewritten simulation equals CXXRTL's own in every cycle."""

import re
import subprocess
from pathlib import Path

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.lib.memory import Memory

from sim.build import DRIVER, decoder_component, script
from sim.tune import RULES, gating, tune
from sim.tune.guards import propagate_guards
from sim.tune.statements import Source, Statement
from sim.tune.text import ternary
from spec.config import named
from tools.compiler import find_compiler, runtime_headers
from tools.yosys import run_yosys

LANES = 8
CYCLES = 3000

#: Clocks a design with pseudo-random inputs and prints every output before each edge.
MAIN = """
#include <cstdio>
int main() {
  cxxrtl_design::p_top top;
  uint32_t random = 1;
  for (int cycle = 0; cycle < CYCLES; cycle++) {
    for (uint32_t &chunk : top.p_wide.data) chunk = random = random * 1664525u + 1013904223u;
    random = random * 1664525u + 1013904223u;
    top.p_control.data[0] = random >> 20;
    top.p_clk.data[0] = 1;
    top.prev_p_clk = cxxrtl::value<1>{0u};
    top.eval();
    for (uint32_t chunk : top.p_out.data) printf("%08x ", chunk);
    puts("");
    top.commit();
  }
}
"""


class MostlyIdle(Elaboratable):
    """Active after one cycle in 64, with the data of that cycle; a memory, a counter and registers
    that swap keep a part active. `en` stalls another part."""

    def __init__(self, control, data):
        self.control = control
        self.data = data
        self.out = Signal(64)

    def elaborate(self, platform):
        m = Module()
        go, taken = Signal(), Signal(24)
        m.d.comb += go.eq(self.control[:6] == 0)
        with m.If(go):
            m.d.sync += taken.eq(self.data)
        value: Value = taken
        for stage in range(6):
            product = Signal(48, name=f"stage_{stage}")
            scaled = (value * (2 * stage + 3) + (value >> 5)) ^ (value << 3)
            m.d.sync += product.eq(Mux(value[0], scaled, value + stage))
            value = product
        m.submodules.table = table = Memory(shape=48, depth=16, init=range(16))
        write, read = table.write_port(), table.read_port()
        waited = Signal(3)
        with m.If(go):
            m.d.sync += waited.eq(7)
        with m.Elif(waited != 0):
            m.d.sync += waited.eq(waited - 1)
        m.d.comb += [
            write.addr.eq(value), write.data.eq(value), write.en.eq(waited == 1),
            read.addr.eq(taken), read.en.eq(1),
        ]  # fmt: skip
        left, right = Signal(48, init=1), Signal(48)
        with m.If(waited[0]):
            m.d.sync += [left.eq(right + value), right.eq(left)]
        en = Signal()
        held, late = Signal(48), Signal(48)
        m.d.sync += en.eq(self.control[6:8] != 0)
        # Both are used only in branches: one under one guard, several times, one under two guards.
        shared, either = Signal(48), Signal(48)
        m.d.comb += [shared.eq((taken * 5) ^ (taken >> 3)), either.eq((taken * 11) ^ held)]
        with m.If(en):
            m.d.sync += [held.eq(shared), late.eq((held * shared) ^ (shared >> 9) ^ (shared << 2))]
        one, two = Signal(48), Signal(48)
        with m.If(self.control[4]):
            m.d.sync += one.eq(either)
        with m.If(self.control[5]):
            m.d.sync += two.eq(~either)
        wide = Signal(100)
        m.d.sync += wide.eq(Cat(value, read.data))
        m.d.comb += self.out.eq(wide[:64] ^ wide[50:] ^ read.data ^ left ^ late ^ en ^ one ^ two)
        return m


class Row(Elaboratable):
    """A row filled from one of two others: a loop in each branch. Only it activates `out`."""

    def __init__(self, control, left, right):
        self.control, self.left, self.right = control, left, right
        self.out = Signal(64)

    def elaborate(self, platform):
        m = Module()
        row = [Signal(24, name=f"row_{n}", init=n) for n in range(LANES)]
        for element, left, right in zip(row, self.left, self.right, strict=True):
            with m.If(self.control[4]):
                m.d.sync += element.eq(left)
            with m.Elif(self.control[8]):
                m.d.sync += element.eq(Mux(self.control[10], right ^ element, right))
        m.d.sync += self.out.eq(sum(Cat(row[n], row[-n]) << n for n in range(LANES)))
        return m


class Table(Elaboratable):
    """A memory; only what is written to it activates `out`."""

    def __init__(self, control, data):
        self.control, self.data = control, data
        self.out = Signal(24)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=24, depth=4, init=[1, 2, 3])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self.control),
            write.data.eq(self.data),
            write.en.eq(self.control[5]),
            read.addr.eq(1),
        ]
        m.d.sync += self.out.eq(read.data)
        return m


class Lanes(Elaboratable):
    """Lanes, shift registers in both directions, circles of registers, memories, guards."""

    def __init__(self):
        self.clk = Signal()
        self.tie = Signal()
        self.wide = Signal(16 * LANES)
        self.control = Signal(12)
        self.out = Signal(64)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.d.comb += ClockSignal().eq(self.clk)
        control, count = self.control, Signal(8)
        m.d.sync += count.eq(count + control[0])
        m.submodules.softmax = idle = MostlyIdle(self.control, self.wide[:24])
        parts = [self._pipeline(m), self._shifts(m), self._circles(m), self._memories(m, count)]
        parts += [self._watched(m), self._rounded(m), self._conditions(m, count), idle.out]
        total = Signal(64)
        m.d.comb += total.eq(sum(parts, C(0, 64)))
        m.d.comb += self.out.eq(Mux(self.tie, 0, total))
        return m

    def _pipeline(self, m):
        """a -> product -> sum in each lane, the form of the multiplier array."""
        en, first, source = self.control[1], self.control[2], self.control[3:5]
        common = Signal(signed(16))
        m.d.sync += common.eq(self.wide[:16])
        outs = []
        for lane in range(LANES):
            a = Signal(signed(16), name=f"a_{lane}", init=lane)
            product = Signal(signed(32), name=f"product_{lane}")
            total = Signal(signed(41), name=f"total_{lane}", init=-lane)
            word = self.wide.word_select(lane, 16)
            with m.If(en):
                m.d.sync += [product.eq(a * common), total.eq(Mux(first, 0, total) + product)]
                with m.Switch(source):
                    with m.Case(0):
                        m.d.sync += a.eq(word)
                    with m.Case(1):
                        m.d.sync += a.eq(a + 1)
            outs.append(total)
        return Cat(outs).as_unsigned()[:64] ^ sum(outs)

    def _shifts(self, m):
        """Up, down, and all from lane 0: the last two cannot be written in rising order."""
        take, move = self.control[5], self.control[6]
        up = [Signal(20, name=f"up_{n}", init=n) for n in range(LANES)]
        down = [Signal(20, name=f"down_{n}", init=n) for n in range(LANES)]
        fan = [Signal(20, name=f"fan_{n}", init=3 * n) for n in range(LANES)]
        for n in range(LANES):
            word = self.wide.word_select(n, 16)
            with m.If(take):
                m.d.sync += [up[n].eq(word), down[n].eq(word)]
            with m.Elif(move):
                m.d.sync += [up[n].eq(up[(n + 1) % LANES]), down[n].eq(down[n - 1])]
            m.d.sync += fan[n].eq(fan[0] + up[n])
        return Cat(up) ^ Cat(down) ^ Cat(fan)

    def _watched(self, m):
        """The sources of `Row` and `Table` are registers of this component, and inputs."""
        left, right = ([Signal(24, name=f"{side}_{n}") for n in range(LANES)] for side in "lr")
        for n in range(LANES):
            word = self.wide.word_select(n, 16)
            m.d.sync += [left[n].eq(left[n] ^ word), right[n].eq(right[n] + word)]
        m.submodules.row = row = Row(self.control, left, right)
        m.submodules.watched = table = Table(self.control, left[0])
        return row.out ^ table.out

    def _rounded(self, m):
        """Numbers at other scales, and what a shift drops, in more than 64 bits."""
        number, shift = Signal(signed(43), name="number"), Signal(6)
        m.d.sync += [number.eq(self.wide), shift.eq(self.wide[60:])]
        lost = (number & ~(Const(-1, signed(45)) << shift)).any()
        exact = (number >> shift) | lost
        return exact.as_unsigned()[:43] ^ ((number >> 20) | number[0]).as_unsigned()[:40]

    def _conditions(self, m, count):
        """Tests that a decoder makes of its states."""
        state, met, other = Signal(3, name="state"), Signal(16), Signal(16)
        m.d.sync += state.eq(self.wide[3:])
        among = (state == 0) | (state == 2) | (state == 5)
        large = self.wide[: 9 * 8] & Cat(C(7, 70), self.control[:2])
        far = Cat(large == 0, large == 1, large == 5).any()
        m.d.comb += other.eq(Cat(state == 1, state == 4, state == 7).any() + far)
        full, late = count[:3] == 7, self.wide[9:12] > state
        with m.If((among & ~full & late) | (full & (count[3] | other[0])) | ~(late | other[0])):
            m.d.sync += met.eq(met + state + 1)
        return (met << 3) ^ other

    def _circles(self, m):
        """Registers that swap: one of them needs a second copy."""
        x, y, z = (Signal(24, name=name, init=number) for number, name in enumerate("xyz"))
        m.d.sync += [x.eq(y), y.eq(x + self.control)]
        with m.If(self.control[7]):
            m.d.sync += z.eq(Mux(self.control[8], z ^ x, z))
        return (x << 20) + y + (z << 30)

    def _memories(self, m, count):
        """A transparent port, one that is not, an asynchronous one, and two writers."""
        m.submodules.one = one = Memory(shape=24, depth=11, init=range(11))
        write = one.write_port(granularity=8)
        read = one.read_port(transparent_for=(write,))
        late = one.read_port()
        m.submodules.two = two = Memory(shape=9, depth=8, init=[])
        ports = [two.write_port(), two.write_port()]
        shown = two.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(count),
            write.data.eq(self.wide[5:]),
            write.en.eq(self.control[9:]),
            read.addr.eq(self.wide[40:]),
            read.en.eq(self.control[3]),
            late.addr.eq(count),
            shown.addr.eq(count[1:]),
        ]
        for number, port in enumerate(ports):
            m.d.comb += [
                port.addr.eq(self.wide[16 * number :]),
                port.data.eq(count + number),
                port.en.eq(self.control[number]),
            ]
        return Cat(read.data, late.data, shown.data)


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("generated")
    top = Lanes()
    ports = [top.clk, top.tie, top.wide, top.control, top.out]
    text = rtlil.convert(top, name="top", ports=ports, emit_src=False)
    (folder / "design.il").write_text(text)
    assert "feedback" not in run_yosys(script("fast"), folder)
    return (folder / "design.cc").read_text()


def _run(text: str, folder: Path) -> str:
    (folder / "design.cc").write_text(text)
    (folder / "main.cc").write_text(
        f'#define CYCLES {CYCLES}\n#include "native.h"\n#include "design.cc"\n{MAIN}'
    )
    flags = ["-std=c++20", "-O1", "-w", "-DNDEBUG", f"-I{runtime_headers()}", f"-I{DRIVER}", "-I."]
    command = [*find_compiler().command, *flags, "main.cc", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    run = subprocess.run([folder / "main"], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch):
    """Gate the small groups of this design, too."""
    monkeypatch.setattr(gating, "SMALLEST", 0)


@pytest.fixture(scope="module")
def expected(generated, tmp_path_factory) -> str:
    """The outputs of CXXRTL's own code."""
    return _run(generated, tmp_path_factory.mktemp("expected"))


def test_every_cycle_stays_the_same(generated, expected, tmp_path):
    assert len(set(expected.splitlines())) > CYCLES / 2
    tuned = tune(generated)
    assert tuned.count("for (size_t n = 0;") >= 3, "nothing was rolled"
    assert tuned.count("commit(observer)") < 10, "registers are still committed"
    assert tuned.count("if (vd_active") >= 5, "nothing is gated"
    assert _run(tuned, tmp_path) == expected
    assert _run(tune(generated, observed=True), tmp_path) == expected


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_left_out(generated, expected, tmp_path, rule):
    tuned = tune(generated, without=(rule,))
    assert tuned != tune(generated), "the rule changes nothing"
    assert _run(tuned, tmp_path) == expected


def test_conditions_of_all_lanes_are_outside_their_loop(generated):
    assert re.search(rf"\t\tfor \(size_t n = 0; n < {LANES}; n\+\+\) vd_array", tune(generated))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("(p_a ? p_b : (p_c ? p_d : p_e))", ("p_a", "p_b", "(p_c ? p_d : p_e)")),
        ("(p_a ? p_b : p_c).concat(p_d)", None),
        ("(p_a).concat(p_b ? p_c : p_d)", None),
        ("p_a", None),
    ],
)
def test_a_ternary_operator_is_the_whole_text(text, parts):
    assert ternary(text) == parts


def test_a_gated_signal_takes_no_guard_of_another_group():
    def signal(group):
        source = Source("", [], "", {}, {"p_a": 8, "p_b": 8, "p_c": 8}, set(), {})
        source.statements = [
            Statement(["\tp_x = p_a.curr;"], False, {"p_x"}, {"p_a"}, group=0),
            Statement(
                ["\tp_c.next = p_x;"], True, {"p_c"}, {"p_x", "p_b"}, "p_b.curr", group=group
            ),
        ]
        propagate_guards(source)
        return source.statements[0]

    assert signal(group=1).guard is None
    assert signal(group=None).guard is None
    assert signal(group=0).guard == "p_b.curr"
    assert signal(group=0).reads == {"p_a", "p_b"}


def test_busy_components_are_parts_of_the_decoder():
    parts = Fragment.get(decoder_component(named("nano")), None).subfragments
    assert {re.sub(r"_\d+$", "", name) for _, name, _ in parts} >= gating.BUSY


@pytest.mark.parametrize(
    "line",
    [
        r"if \(vd_differ\(vd_old_\d+, p_.*\)\) .*",
        r"if \(vd_differ\(vd_old_\d+, vd_lanes.*\)\) .*",
        r"vd_next\[.*",
        r"vd_active\[.*\] = true;",
    ],
    ids=["registers", "lanes", "memories", "inputs"],
)
def test_without_an_activation_the_result_is_wrong(generated, expected, tmp_path, line):
    tuned = tune(generated)
    changed, count = re.subn(rf"^\t+{line}$", "", tuned, flags=re.MULTILINE)
    assert count
    assert _run(changed, tmp_path) != expected


def test_registers_in_a_cycle_keep_their_copy(generated):
    tuned = tune(generated)
    copied = re.findall(r"(p_\w+)\.curr = \1\.next;", tuned)
    assert len({"p_x", "p_y"} & set(copied)) == 1
    assert "memory_p_two" in "".join(re.findall(r"memory_\w+\.commit", tuned))


@pytest.mark.parametrize(
    "line",
    [
        "\tif (negedge_p_clk) {\n\t\tp_x.next = p_y.curr;\n\t}\n",
        "\tp_out.slice<3,0>() = p_x.curr.slice<3,0>().val();\n",
        "\tperform(p_out);\n",
    ],
)
def test_unknown_text_is_unchanged(generated, line):
    tail = "\treturn converged;\n"
    text = generated.replace(tail, line + tail)
    assert text != generated
    assert tune(text).replace("CXXRTL_EXTREMELY_COLD ", "") == text
    assert tune(text, observed=True) == tune(text)


def test_designs_with_feedback_are_unchanged(generated):
    tuned = tune(generated, feedback=True)
    assert tuned.replace("CXXRTL_EXTREMELY_COLD ", "") == generated
