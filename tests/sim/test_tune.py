"""The rewritten simulation equals CXXRTL's own in every cycle."""

import re
import subprocess
from pathlib import Path

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.lib.memory import Memory

from sim.build import DRIVER, script
from sim.tune import gating, tune
from sim.tune.expressions import short_circuit, shorten
from sim.tune.guards import add_guards, inline, propagate_guards
from sim.tune.statements import Source, Statement, parse
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
    that swap keep a part active. `en` stalls another part. Its instance is called `softmax`, a name
    that `sim.tune.gating` lists as mostly idle."""

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
        parts += [self._queue(m), self._rounded(m), self._conditions(m, count), idle.out]
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

    def _queue(self, m):
        """Filled from here and there, and then shifted: a loop in one branch alone."""
        fill, move = self.control[4], self.control[8]
        queue = [Signal(24, name=f"queue_{n}", init=n) for n in range(LANES)]
        for n, after in enumerate([*queue[1:], C(0, 24)]):
            with m.If(fill):
                m.d.sync += queue[n].eq(self.wide.word_select(3 * n % LANES, 16) << 5)
            with m.Elif(move):
                m.d.sync += queue[n].eq(after)
        return queue[0] ^ queue[3]

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
    monkeypatch.setattr(gating, "SMALLEST", 100)
    monkeypatch.setattr(gating, "BUSY", ("softmax.en",))


def test_every_cycle_stays_the_same(generated, tmp_path):
    expected = _run(generated, tmp_path)
    assert len(set(expected.splitlines())) > CYCLES / 2
    tuned = tune(generated)
    assert tuned.count("for (size_t n = 0;") >= 3, "nothing was rolled"
    assert tuned.count("commit(observer)") < 10, "registers are still committed"
    assert tuned.count("if (vd_active") >= 5, "nothing is gated"
    assert "vd_ran[0] |= " in tuned, "no gated group has a guard"
    assert _run(tuned, tmp_path) == expected
    assert _run(tune(generated, observed=True), tmp_path) == expected


def test_conditions_of_lanes_have_a_loop_in_a_branch(generated):
    tuned = tune(generated)
    loop = rf"\t\t+for \(size_t n = 0; n < {LANES - 1}; n\+\+\) (vd_array_\d+)\[0 \+ n\] = .*\1"
    assert re.search(rf"{loop}\[1 \+ n\]\)\)\);\n", tuned)


def test_expressions_are_shortened(generated):
    tuned = tune(generated)
    assert re.search(r"\bvd_extend<\d+,\d+,\d+>\(p_number\.curr\)", tuned), "a part of a number"
    assert re.search(r"\bvd_among<0x[0-9a-f]+u>\(p_state\.curr\)", tuned), "one of some numbers"
    assert re.search(r"if \(.*vd_bit\(.* (?:&&|\|\|) ", tuned), "a condition"
    assert "shl_su<10" in tuned, "a mask of more than 64 bits"


@pytest.mark.parametrize(
    ("condition", "short"),
    [
        ("p_a", "p_a"),
        ("and_uu<1>(p_a, not_u<1>(p_b.curr))", "(vd_bit(p_a) && !vd_bit(p_b.curr))"),
        ("!bool(or_uu<1>(p_a, p_b))", "!(vd_bit(p_a) || vd_bit(p_b))"),
        ("reduce_or<1>(p_a.curr)", "(bool(p_a.curr.val()))"),
        ("logic_not<1>(p_a.concat(p_b).val())", "!(bool(p_a.val()) || bool(p_b.val()))"),
        (
            "reduce_or<1>(and_uu<1>(p_a, p_b).concat(p_c.curr.slice<2,1>()).val())",
            "((vd_bit(p_a) && vd_bit(p_b)) || bool(p_c.curr.slice<2,1>().val()))",
        ),
        ("and_uu<1>(p_a, p_b).concat(p_c).val()", "and_uu<1>(p_a, p_b).concat(p_c).val()"),
        ("and_uu<2>(p_a, p_b)", "and_uu<2>(p_a, p_b)"),
        ("value<1>(or_uu<1>(p_a, p_b))", "(vd_bit(p_a) || vd_bit(p_b))"),
    ],
)
def test_conditions_short_circuit(condition, short):
    assert short_circuit(condition) == short


def test_comparisons_of_two_signals_are_unchanged():
    text = "p_x = reduce_or<1>(eq_uu<1>(p_a, value<1>{0x1u}).concat(logic_not<1>(p_b)).val());"
    assert shorten(text) == text


def test_sources_of_a_guard_that_is_computed_later_activate_its_group():
    a, b, go, copy, result = (f"p_softmax_2e_{name}" for name in ["a", "b", "go", "copy", "result"])
    source = Source("", [], "", {}, {a: 8, b: 8, result: 8}, set(), {})
    source.statements = [
        Statement([f"\t{copy} = {a}.curr;"], False, {copy}, {a, go}, guard=go),
        Statement([f"\t{go} = {b}.curr;"], False, {go}, {b}),
        Statement([f"\t{result}.next = {copy};" + " " * 100], True, {result}, {copy, go}, guard=go),
        Statement([f"\t{a}.next = {b}.curr;"], True, {a}, {b}),
        Statement([f"\t{b}.next = {a}.curr;"], True, {b}, {a}),
    ]
    gating.add_gating(source)
    assert set(source.activates) == {a, b}


@pytest.mark.parametrize(
    ("line", "replacement"),
    [
        (r"(?:if \(vd_differ\(.*\)\) \[\[unlikely\]\] )?vd_activate\[\d+\] \|= .*;$", ""),
        (r"vd_active\[\d+\] \|= .*;$", ""),
        (r"(vd_active\[\d+\]) = .* \| (vd_activate.*;)$", r"\1 = \2"),
    ],
    ids=["registers", "inputs", "guards"],
)
def test_without_an_activation_the_result_is_wrong(generated, tmp_path, line, replacement):
    tuned = tune(generated)
    changed, count = re.subn(rf"^\t*{line}", replacement, tuned, flags=re.MULTILINE)
    assert count
    assert _run(changed, tmp_path) != _run(tuned, tmp_path)


def test_values_used_only_under_guards_are_computed_there(generated):
    source = parse(generated)
    add_guards(source)
    before = len(source.statements)
    inline(source)
    assert len(source.statements) < before
    propagate_guards(source)
    assert any(statement.guard for statement in source.statements if not statement.clocked)


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
