"""Structural reachability and explicit-state model checking give the right answers on toys."""

from pathlib import Path

import pytest

from formal.runner import Runner
from properties.done_pulse import DonePulse
from tests.formal import toys
from tests.formal.test_runner import DONE_STAYS, toy
from tools.planting import PlantedBug

WORD_IN_TAG = PlantedBug(
    "a bit of the word stands in for the tag",
    "tests.formal.toys",
    "Mailbox.elaborate",
    "read.data[0]",
    "read.data[1]",
)
TOO_LONG = PlantedBug(
    "a longer countdown than there is",
    "tests.formal.toys",
    "Countdown.elaborate",
    "self.length",
    "self.length + 3",
)

STUCK = PlantedBug(
    "the last round does not end the work",
    "tests.formal.toys",
    "Rounds.elaborate",
    "self.is_last",
    "~self.busy",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run one task at nano; `explore` is compiled once."""
    runner = Runner(build=tmp_path_factory.mktemp("formal"))
    return lambda task: runner.run(task, "nano")


def paths(engine: str, **arguments):
    """A task about the mailbox."""
    return toy(
        theorem=toys.WordStaysInside,
        harness=toys.mailbox,
        arguments=arguments,
        obligations=2,
        bug=WORD_IN_TAG,
        engine=engine,
    )


def search(**changes):
    """A task about the range of the countdown."""
    green = {
        "theorem": toys.Holding,
        "harness": toys.holding,
        "arguments": {},
        "obligations": 1,
        "bug": TOO_LONG,
        "engine": "explore",
    }
    return toy(**(green | changes))


def test_columns_of_a_memory_are_told_apart_and_registers_end_a_cycle(run):
    result = run(paths("wires"))
    # Within a cycle a stored word has no effect, so the planted bug is not caught, which is red.
    assert result.proof.status == "PASS"
    assert result.detail.startswith("the planted bug is not caught")


def test_a_way_through_registers_is_found_and_told(run):
    result = run(paths("cone"))
    assert (result.status, result.detail.split(" after")[0]) == ("RED", "violated: look_to_word")
    trace = Path(result.proof.trace).read_text()
    assert trace.startswith("look_to_word\n") and "o_word[0]" in trace


def test_ways_through_a_cut_do_not_count(run):
    result = run(paths("cone", cut=True))
    assert (result.status, result.bug.named) == ("PASS", ("word_to_tag",))


@pytest.mark.parametrize(
    "engine, source, reached",
    [("wires", "put", False), ("cone", "put", True), ("cone", "word", False)],
)
def test_a_witness_is_a_path_that_must_be_found(run, engine, source, reached):
    result = run(paths(engine, there=source, cut=True))
    assert result.proof.status == "PASS"
    assert (result.cover.status == "PASS") == reached
    if not reached:
        assert result.detail == "vacuous: witness not reached: witness"


def test_the_search_proves_what_the_solver_proves(run):
    result = run(toy(arguments={"hints": False}, obligations=2, engine="explore"))
    assert (result.status, result.detail) == ("PASS", "")
    assert result.cover.named == ("answered_twice",)
    assert result.bug.named == ("done_lasts_a_cycle",)


def test_the_search_tells_the_shortest_run_to_a_failure(run):
    task = toy(
        theorem=toys.Stays,
        harness=toys.stays,
        arguments={"vacuous": False},
        obligations=1,
        engine="explore",
    )
    result = run(task)
    assert result.detail == "violated: never_runs after 2 cycles"
    assert "start" in Path(result.proof.trace).read_text().splitlines()[0]


@pytest.mark.parametrize(
    "forget, status", [("", "PASS"), ("loop_", "RED"), ("assume_fair_moves", "RED")]
)
def test_a_loop_is_supposed_to_end_and_not_to_be_stalled(run, forget, status):
    task = toy(
        theorem=toys.RoundsEnd,
        harness=toys.rounds,
        arguments={"forget": forget},
        obligations=1,
        # Not by a loop without an end, but by a last round that is accepted and never answered.
        bug=STUCK,
        engine="explore",
    )
    assert run(task).status == status


def test_suppositions_narrow_the_search(run):
    task = toy(
        theorem=toys.Stays,
        harness=toys.stays,
        arguments={"vacuous": True},
        obligations=1,
        engine="explore",
    )
    assert run(task).detail == "vacuous: witness not reached: started"


def test_what_a_register_holds_for_nobody_is_forgotten(run):
    assert run(search()).status == "PASS"


def test_a_wrong_holder_makes_a_failure_and_no_proof(run):
    result = run(search(arguments={"right": False}))
    assert result.detail.startswith("violated: in_range")


def test_a_stand_in_takes_the_place_of_what_is_cut(run):
    # It never sees `done`, and keeps counting.
    result = run(search(arguments={"cut": True}))
    assert result.detail == "violated: in_range after 3 cycles"


OTHER_KEY = PlantedBug(
    "another key opens it", "tests.formal.toys", "Lock.elaborate", "0x155", "0x156"
)


def lock(**arguments):
    """A task about the lock, which has more inputs than one evaluation covers."""
    return search(theorem=toys.StaysShut, harness=toys.lock, arguments=arguments, bug=OTHER_KEY)


def test_every_value_of_many_inputs_is_tried(run):
    result = run(lock(known=True))
    assert (result.status, result.detail) == ("PASS", "")
    # Visiting all states also covers the witness, and finds the one bad key in 512.
    assert (result.cover.named, result.cover.seconds) == (("tried",), 0)
    assert result.bug.named == ("shut",)
    assert run(lock(known=False)).detail == "violated: shut after 2 cycles"


def test_the_search_refuses_what_a_solver_would_choose(run):
    assert "does not support $anyconst" in run(lock(chosen=True)).detail


def test_no_solver_takes_the_place_of_a_search(tmp_path):
    runner = Runner(build=tmp_path, engine="yices")
    assert runner.engine_for(search()).name == "explore"
    assert runner.engine_for(toy(theorem=DonePulse, bug=DONE_STAYS)).name == "yices"
