import errno
import os

import pytest

from wirt import errors
from wirt.errors import Error, Failed, NotPermitted, OutOfSpace
from wirt.host import files


def every_error() -> list[type[Error]]:
    return [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Error)
    ]


def test_exit_codes_tell_the_errors_apart() -> None:
    codes = [kind.exit_code for kind in every_error()]

    assert len(set(codes)) == len(codes)
    assert all(0 < code < 125 for code in codes)


def test_error_as_text_is_the_message_and_the_next_step() -> None:
    assert str(Error("guest web is gone")) == "guest web is gone"
    assert str(Error("guest web is gone", hint="make it")) == "guest web is gone; make it"


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (
            errno.ENOSPC,
            OutOfSpace,
            "cannot write: No space left on device (/x); free some space and try again",
        ),
        (
            errno.EDQUOT,
            OutOfSpace,
            "cannot write: Disk quota exceeded (/x); free some space and try again",
        ),
        (errno.EACCES, NotPermitted, "cannot write: Permission denied (/x); run it as root"),
        (errno.EPERM, NotPermitted, "cannot write: Operation not permitted (/x); run it as root"),
        (errno.ENOENT, Failed, "cannot write: No such file or directory (/x)"),
    ],
)
def test_translated_os_error_keeps_reason_and_place(
    number: int, kind: type[Error], text: str
) -> None:
    with pytest.raises(kind) as caught, files.translated("write"):
        raise OSError(number, os.strerror(number), "/x")

    assert type(caught.value) is kind
    assert str(caught.value) == text
    assert isinstance(caught.value.__cause__, OSError)
