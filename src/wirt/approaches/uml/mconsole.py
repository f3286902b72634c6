"""User-Mode Linux's management console: one datagram asks, one or more answer.

Source: arch/um/drivers/mconsole.h and mconsole_kern.c of Linux 6.1, and uml_mconsole of uml-utilities.
"""

import os
import socket
import struct

from wirt.errors import Failed

_SOCKET = "mconsole"
_REQUEST = struct.Struct("=III512s")
"""Magic, version, length, text."""
_REPLY = struct.Struct("=iII")
"""Error number below 0, whether more follows, length; then the text."""
_MAGIC, _VERSION = 0xCAFEBABE, 2
_LONGEST = 511
_ANSWER_SECONDS = 10.0


def ask(directory: str, command: str) -> str:
    """Give a command to the kernel whose ``umid`` directory this is, and return what it answers.

    Raises:
        Failed: it refused, does not answer, or does not run.
    """
    text = command.encode()
    if len(text) > _LONGEST:
        raise Failed(f"User-Mode Linux takes no command of {len(text)} bytes: {command[:40]}...")
    # Its path may be longer than a socket's may be.
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            # The kernel chooses a name for the answer to come to, in no directory.
            connection.bind("")
            connection.sendto(
                _REQUEST.pack(_MAGIC, _VERSION, len(text), text),
                f"/proc/self/fd/{place}/{_SOCKET}",
            )
            said, error = b"", 0
            more = True
            while more:
                answer = connection.recv(65536)
                error, more, length = _REPLY.unpack_from(answer)
                said += answer[_REPLY.size : _REPLY.size + length]
    except OSError as failure:
        raise Failed(f"User-Mode Linux did not answer: {failure}") from failure
    finally:
        os.close(place)
    words = said.decode(errors="replace").strip("\0\n ")
    if error:
        raise Failed(f"User-Mode Linux did not take {command.partition('=')[0]}: {words}")
    return words
