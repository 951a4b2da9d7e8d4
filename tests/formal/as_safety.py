"""Converts AIGER files for abc's provers: one bad output, no constraints, all latches at 0."""

from collections.abc import Iterator

from formal.engines.aiger import Aiger
from formal.engines.circuit import ANY


def questions(file: Aiger) -> Iterator[tuple[str, Aiger]]:
    """A file for each bad state and each justice property of `file`, by name."""
    for name, bad in file.bad:
        yield name, _alone(file, [], bad)
    for name, literals in file.justice:
        # Liveness as safety (Biere, Artho, Schuppan 2002): a state repeats, and every condition of
        # `again` was high in between.
        yield name, _alone(file, [*literals, *(literal for _, literal in file.fairness)], None)


def _alone(file: Aiger, again: list[int], bad: int | None) -> Aiger:
    free = [n for n, (_, _, reset) in enumerate(file.latches) if reset == ANY]
    copies = len(file.latches) if bad is None else 0
    result = Aiger()
    result.inputs = [*file.inputs, *(f"first#{n}" for n in free), "save"]
    #: Those of the file, then: a cycle was, the suppositions held, a state is saved, that state,
    #: which of `again` stood since.
    own = len(file.latches)
    result.latches = [("", 0, 0)] * (own + 3 + copies + len(again) + 1)
    first = 1 + len(result.inputs)

    def latch(number: int) -> int:
        return 2 * (first + number)

    began, kept, saved = (latch(own + n) for n in range(3))
    values: dict[int, int] = {}  # literals of the file's variables
    old_first = 1 + len(file.inputs)
    for n in range(old_first):
        values[n] = 2 * n
    for n, (_, _, reset) in enumerate(file.latches):
        value = latch(n)
        if reset == 1:
            # Stored inverted.
            value ^= 1
        elif reset == ANY:
            value = mux(result, began, value, 2 * (old_first + free.index(n)))
        values[old_first + n] = value

    def moved(literal: int) -> int:
        return values[literal // 2] ^ literal & 1

    for n, (a, b) in enumerate(file.gates, file.first_gate):
        values[n] = result.both(moved(a), moved(b))
    following = [moved(following) ^ (reset == 1) for _, following, reset in file.latches]
    holds = kept ^ 1  # stored inverted, too
    for _, constraint in file.constraints:
        holds = result.both(holds, moved(constraint))
    following += [1, holds ^ 1]
    saving = 2 * (first - 1)
    if bad is None:
        saves = result.both(saving, saved ^ 1)
        since = result.either(saved, saving)
        following.append(since)
        equal = saved
        for n in range(own):
            shadow, state = latch(own + 3 + n), moved(2 * (old_first + n))
            following.append(mux(result, saves, state, shadow))
            differs = result.either(result.both(shadow, state ^ 1), result.both(shadow ^ 1, state))
            equal = result.both(equal, differs ^ 1)
        for n, literal in enumerate(again):
            stood = latch(own + 3 + copies + n)
            following.append(result.either(stood, result.both(since, moved(literal))))
            equal = result.both(equal, stood)
        # The step from here is that from the saved state: what is supposed then, was.
        combined = result.both(equal, kept ^ 1)
    else:
        following.append(0)
        combined = result.both(moved(bad), holds)
    # abc does not decide constant outputs, so this one is delayed by a cycle.
    following.append(combined)
    result.latches = [(f"state{n}", literal, 0) for n, literal in enumerate(following)]
    result.outputs = [("bad", latch(len(following) - 1))]
    return result


def mux(file: Aiger, choice: int, high: int, low: int) -> int:
    """The literal of a choice."""
    return file.either(file.both(choice, high), file.both(choice ^ 1, low))
