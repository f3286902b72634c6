"""Marks of pages: whether this kernel makes them, as CRIU sees it, and who takes them away."""

import os

import pytest

from wirt.approaches.lxc import criu
from wirt.host import pagemarks


def test_kernel_that_marks_pages_is_told_from_others_as_criu_tells_it(root_user: None) -> None:
    if criu.find() is None:
        pytest.skip("CRIU is not installed")

    assert pagemarks.are_made() == criu.probe_tracking().available


def test_process_that_takes_marks_away_itself_is_found() -> None:
    before = pagemarks.are_used([os.getpid()])
    with open("/proc/self/clear_refs", "wb"):
        during = pagemarks.are_used([os.getpid(), 2**22])

    assert (before, during) == (False, True)
