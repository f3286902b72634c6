"""Who goes first on a processor, and who is not to because of it."""

import os
import subprocess
import sys

from wirt.host import urgency
from wirt.host.urgency import hurrying, is_hurrying

ASK = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"]


def policy_of_child(*before: str) -> int:
    """Return what a program says of itself that is started now."""
    return int(subprocess.run([*before, *ASK], capture_output=True, check=True).stdout)


def test_block_goes_first_alone_and_only_as_long_as_it_lasts(root_user: None) -> None:
    with hurrying():
        assert is_hurrying()
        assert policy_of_child() == os.SCHED_OTHER

    assert not is_hurrying()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_what_a_block_starts_goes_first_too_if_it_is_to(root_user: None) -> None:
    with hurrying():
        with hurrying(what_it_starts=True):
            assert policy_of_child() == os.SCHED_RR

        assert policy_of_child() == os.SCHED_OTHER
        assert is_hurrying()


def test_program_that_is_put_first_starts_others_that_are_not(root_user: None) -> None:
    code = f"import subprocess; subprocess.run({ASK!r}, check=True)"
    said = subprocess.run(
        [*urgency.PREFIX, sys.executable, "-c", code], capture_output=True, check=True
    )

    assert int(said.stdout) == os.SCHED_OTHER
    assert policy_of_child(*urgency.PREFIX) == os.SCHED_RR | os.SCHED_RESET_ON_FORK


def test_process_that_has_ended_cannot_be_hurried_and_nobody_minds() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()

    urgency.hurry(ended.pid)
