"""Each bug of the registry is caught by the property that it names, at the width that it names."""

import dataclasses

import pytest

from formal.planted import PLANTED, Planted
from formal.runner import BUILD, Runner
from formal.tasks import TASKS


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.bug.name)
def test_a_planted_bug_is_caught(planted: Planted):
    (task,) = [task for task in TASKS if task.id == planted.caught_by]
    bugged = dataclasses.replace(task, bug=planted.bug)
    result = Runner(build=BUILD / "planted", bugs_only=True).run(bugged, planted.config)
    assert not result.detail
    assert result.bug
    assert result.bug.named
