"""Controls: changes whose verdict is known. Without them a broken detector looks like a good one.

The unchanged design and ten equivalent changes must not be killed; ten fatal ones must be, each by
the detector that stands here, first of all.
"""

from dataclasses import dataclass

from mutate.cases import Case
from mutate.pool import Change
from tools.errors import BadInput
from tools.sources import ROOT, SOURCES


@dataclass(frozen=True)
class Control:
    """In the file `path`, the text `before`, which occurs once, becomes `after`.

    `killed_by` is the detector that must see it, empty where none may.
    """

    path: str
    before: str
    after: str
    killed_by: str = ""

    @property
    def name(self) -> str:
        """For reports."""
        return f"control {self.path}: {self.before} -> {self.after}"

    def case(self) -> Case:
        """As a mutant; raises BadInput if the text does not occur once."""
        content = SOURCES.content(ROOT / self.path)
        if content.count(self.before.encode()) != 1:
            times = content.count(self.before.encode())
            raise BadInput(f"{self.name!r} does not fit: the text occurs {times} times")
        begin = content.index(self.before.encode())
        line = 1 + content[:begin].count(b"\n")
        column = 1 + begin - (content.rfind(b"\n", 0, begin) + 1)
        change = Change(
            before=self.before,
            after=self.after,
            line=line,
            column=column,
            end_line=line,
            end_column=column + len(self.before),
            statement=(line, line),
            content=content.replace(self.before.encode(), self.after.encode()),
        )
        return Case(self.name, self.path, change)

    def wrong(self, case: Case) -> str:
        """What is wrong about the verdict, in one sentence, or nothing."""
        first = case.kills[0].detector if case.kills else ""
        if first == self.killed_by:
            return ""
        expected = f"by {self.killed_by}" if self.killed_by else "by nobody"
        return f"{self.name} must be killed {expected}, but: {case.status}, {case.reason}"


_ARGMAX, _FIXED, _DERIVED = "design/argmax.py", "spec/fixed.py", "spec/derived.py"
_MATH, _STEPS, _FLOAT = "golden/fixed_math.py", "golden/steps.py", "golden/float_decoder.py"

UNCHANGED = Control(_FIXED, "return self.i + self.f", "return self.i + self.f")
EQUIVALENT = (
    Control(_FIXED, "return self.i + self.f", "return self.f + self.i"),
    Control(_FIXED, "return 2.0**self.f", "return 1.0 * 2.0**self.f"),
    Control(_DERIVED, "one=1 << one_format.f", "one=2 << (one_format.f - 1)"),
    Control(_DERIVED, "one_format = SQ(2, b_width - 2)", "one_format = SQ(2, -2 + b_width)"),
    Control(_DERIVED, "(epsilon.bit_length() - 1) // 2", "(epsilon.bit_length() - 1) >> 1"),
    Control(_STEPS, "requantize(silu * up", "requantize(up * silu"),
    Control(_MATH, "nudge = half - 1 + odd", "nudge = half + odd - 1"),
    Control(_MATH, "(bit_length(high, low) - 1) >> 1", "(bit_length(high, low) - 1) // 2"),
    Control(_ARGMAX, "self.config.shape.vocab - 1", "-1 + self.config.shape.vocab"),
    Control(_ARGMAX, "depth = on_their_way + 2", "depth = 2 + on_their_way"),
)
FATAL = (
    Control(_ARGMAX, "queue.level <= self.depth", "queue.levels <= self.depth", "elaboration"),
    Control(_ARGMAX, "logit.value > greatest", "logit.value < greatest", "comparison"),
    Control(_ARGMAX, "queue.r_en.eq(self.o_logits.ready)", "queue.r_en.eq(1)", "comparison"),
    Control(_STEPS, "n.silu.f + n.up.f - n.ffn.f", "n.silu.f + n.up.f - n.ffn.f + 1", "comparison"),
    Control(_STEPS, "a * cos - b * sin", "a * cos + b * sin", "comparison"),
    Control(_MATH, "(value + half) >> shift", "value >> shift", "comparison"),
    Control(_MATH, "base[node] + shift_right", "base[node] - shift_right", "comparison"),
    Control("spec/tables.py", "lambda m: 1.0 / m,", "lambda m: 1.01 / m,", "unit tests"),
    Control(_FLOAT, "return gain * (x / root)", "return gain + (x / root)", "unit tests"),
    Control(_FLOAT, "b * cos", "b + cos", "unit tests"),
)


def chosen(quick: bool) -> list[Control]:
    """All controls; or, where minutes count, what must not be killed and what must."""
    return [UNCHANGED, FATAL[1]] if quick else [UNCHANGED, *EQUIVALENT, *FATAL]
