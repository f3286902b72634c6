import os
import subprocess

from wirt.host import process


def test_descendants_are_children_and_their_children() -> None:
    script = "sh -c 'sleep 1000 & echo $! $$; wait' & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as outer:
        assert outer.stdout is not None
        said = (outer.stdout.readline() + outer.stdout.readline()).split()
        found = process.list_descendants(outer.pid)
        for pid in [*found, outer.pid]:
            process.end(pid)

    assert {int(pid) for pid in said} == set(found)
    assert len(found) == 2


def test_start_time_tells_a_process_from_another_of_its_number() -> None:
    started = process.start_time(os.getpid())

    assert started is not None
    assert process.is_alive(os.getpid(), started)
    assert not process.is_alive(os.getpid(), started - 1)
    assert not process.is_alive(None, None)


def test_zombie_is_not_alive() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    gone = process.wait_gone(child, 10)
    started = process.start_time(child)
    os.waitpid(child, 0)

    assert gone
    assert started is None
    assert process.wait_gone(child, 0)


def test_command_line_of_this_process_is_its_arguments() -> None:
    assert process.command_line(os.getpid())
    assert process.command_line(2**22 - 1) == []


def test_end_of_a_process_that_is_gone_is_no_error() -> None:
    with subprocess.Popen(["true"]) as done:
        done.wait()

    process.end(done.pid)
