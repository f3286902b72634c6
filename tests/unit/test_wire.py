"""How two nodes notice that the other is not there any more."""

import io
import os

from wirt.transport.wire import serve, talking


def test_server_ends_when_nobody_is_heard_any_more() -> None:
    reads, writes = os.pipe()
    with open(reads, "rb") as reader, open(writes, "wb", buffering=0) as writer:
        said = io.BytesIO()
        writer.write(b'{"verb":"hello","body":1}\n')
        # It is not told that there are no more questions.
        serve(reader, said, lambda verb, body: body, patience=0.05)

    assert said.getvalue() == b'{"body":1,"trouble":null}\n'


def test_server_waits_for_who_says_nothing_but_is_heard() -> None:
    reads, writes = os.pipe()
    answers = io.BytesIO(b'{"body":2}\n')
    said = io.BytesIO()
    with open(reads, "rb") as reader:
        with (
            open(writes, "wb") as writer,
            talking("b", answers, writer, str, every=0.001) as session,
        ):
            while os.read(reads, 1) != b"\n":
                pass
            assert session.ask("hello", b"2") == b"2"
        serve(reader, said, lambda verb, body: b'"%s %s"' % (verb.encode(), body))

    assert said.getvalue() == b'{"body":"hello 2","trouble":null}\n'


def test_several_questions_in_one_piece_are_answered_one_by_one() -> None:
    reads, writes = os.pipe()
    os.write(writes, b'{"verb":"a","body":1}\n\n{"verb":"b","body":2}\n{"ver')
    os.close(writes)
    said = io.BytesIO()
    with open(reads, "rb") as reader:
        serve(reader, said, lambda verb, body: body)

    assert said.getvalue().count(b"\n") == 2
