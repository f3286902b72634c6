"""``wirt serve-node``: the process that another node talks to; no person types it."""

import os
import sys
from contextlib import closing

import click

from wirt import app
from wirt.host import links
from wirt.ops.receive import Receiver
from wirt.transport.wire import serve


@click.command(hidden=True)
def serve_node() -> None:
    """Answer another node on standard input and output, until it asks no more."""
    # A network namespace that was just made has it down, and CRIU asks the kernel by way of it.
    links.set_up("lo")
    # Whatever is printed by accident must not be taken for an answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    with (
        app.open_context() as context,
        open(answers, "wb") as writer,
        closing(Receiver(context)) as receiver,
    ):
        serve(sys.stdin.buffer, writer, receiver.answer)
