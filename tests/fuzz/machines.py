"""What state machines of Hypothesis about a single component share."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from sim.columns import Columns
from tests.fuzz.reproducer import Compared


class ComponentMachine(RuleBasedStateMachine):
    """A component that is `running` from power-up; what was compared, in `values` and `cycles`,
    goes to `record` at the end."""

    def __init__(self, columns: Columns, record: Callable[[Compared], None]):
        super().__init__()
        self.record = record
        self._context = columns.power_up()
        self.running = self._context.__enter__()
        self.cycles = self.values = 0

    def teardown(self) -> None:
        """End the simulation, and count what was compared."""
        self._context.__exit__(None, None, None)
        self.record(Compared(None, self.values, self.cycles, frozenset(), {}))


def run_rules(
    machine: Callable[[], RuleBasedStateMachine], rules: settings, *, times: int = 1
) -> None:
    """Run a state machine; `times` as many rules as `rules` say, where a cycle costs little."""
    steps = settings(rules, stateful_step_count=times * rules.stateful_step_count)
    run_state_machine_as_test(machine, settings=steps)
