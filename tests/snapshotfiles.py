"""Files of snapshots for tests: one of a checkpoint on a node of fakes, and others that were tampered with."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests import pair
from tests.pair import Nodes
from wirt.errors import (
    Error,
)
from wirt.host import sealedfile
from wirt.model.guest import Guest
from wirt.ops.checkpoint import checkpoint
from wirt.ops.context import Context
from wirt.ops.snapshotfiles import What, export_snapshot, import_snapshot
from wirt.ops.start import start


@pytest.fixture
def nodes(tmp_path: Path, root_user: None) -> Iterator[Nodes]:
    with pair.open_nodes(tmp_path) as made:
        yield made


@pytest.fixture
def kept(nodes: Nodes, tmp_path: Path) -> str:
    """Give the file of a checkpoint of the guest on node "a", which runs on."""
    start(nodes.context(), "web")
    checkpoint(nodes.context(), "web", "one", keep_running=True)
    data_on(nodes.context()).write_text("after")
    path = str(tmp_path / "one.wirt")
    export_snapshot(nodes.context(), "web", "one", path)
    return path


def data_on(context: Context, name: str = "web") -> Path:
    return Path(context.home.pool("fake"), context.store.find(name).id, "root/data")


def take_in(context: Context, path: str, name: str | None = None) -> Guest:
    return import_snapshot(context, path, name, progress=lambda text: None)


def change(path: str, **changes: object) -> None:
    """Have a file say something else of what it is of."""
    content = unpacked(path)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        member = tar.getmember("what.json")
        body = tar.extractfile(member)
        assert body is not None
        what = msgspec.json.decode(body.read(), type=What)
        others = [
            (one, tar.extractfile(one)) for one in tar.getmembers() if one.name != "what.json"
        ]
        fresh = io.BytesIO()
        with tarfile.open(fileobj=fresh, mode="w", format=tarfile.PAX_FORMAT) as again:
            said = msgspec.json.encode(msgspec.structs.replace(what, **changes))
            member.size = len(said)
            again.addfile(member, io.BytesIO(said))
            for one, file in others:
                again.addfile(one, file)
    seal(path, fresh.getvalue())


def add(path: str, name: str, **attributes: object) -> None:
    """Add a member to a file, which is right in all else."""
    with tarfile.open(fileobj=io.BytesIO(unpacked(path))) as tar:
        fresh = io.BytesIO()
        with tarfile.open(fileobj=fresh, mode="w", format=tarfile.PAX_FORMAT) as again:
            for one in tar.getmembers():
                again.addfile(one, tar.extractfile(one) if one.isreg() else None)
            made = tarfile.TarInfo(name)
            for key, value in attributes.items():
                setattr(made, key, value)
            again.addfile(made)
    seal(path, fresh.getvalue())


def unpacked(path: str) -> bytes:
    return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout


def seal(path: str, content: bytes) -> None:
    packed = subprocess.run(["zstd", "-q"], input=content, capture_output=True, check=True).stdout
    os.unlink(path)
    sealedfile.write(path, [packed])


def refused(context: Context, path: str, name: str | None = None) -> Error:
    """Return the error that an import ends with, which must have changed nothing."""
    before = (context.store.guests(), context.store.setting("subnet"), below(context))
    with pytest.raises(Error) as caught:
        take_in(context, path, name)
    assert (context.store.guests(), context.store.setting("subnet"), below(context)) == before
    assert context.store.intents() == []
    return caught.value


def below(context: Context) -> list[str]:
    places = (context.home.pool("fake"), f"{context.home.data}/guests")
    return sorted(str(path) for place in places for path in Path(place).rglob("*"))
