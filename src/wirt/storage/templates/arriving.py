"""A template that comes from another node: its packed root and metadata, checked before they have a name.

Forms are made where they are needed; only an image goes along, because guests' disks rest on its blocks.
"""

import os

import msgspec

from wirt.errors import Corrupt
from wirt.host.files import sync_directory
from wirt.host.run import check
from wirt.model.template import Template
from wirt.storage.templates.archive import sha256_of


def parts_in(directory: str, *, with_image: bool) -> list[str]:
    """Return the names of the files of a template that go along."""
    wanted = ["template.json", "root.tar.zst", *(["root.img"] if with_image else [])]
    return [name for name in wanted if os.path.exists(os.path.join(directory, name))]


def adopt(work: str, final: str, name: str, sha256: str) -> None:
    """Give a template that has come its name, if it is what was announced.

    Raises:
        Corrupt: it is not.
    """
    try:
        with open(f"{work}/template.json", "rb") as file:
            template = msgspec.json.decode(file.read(), type=Template)
    except (OSError, msgspec.MsgspecError) as error:
        raise Corrupt(f"template {name} came without its metadata: {error}") from error
    packed = sha256_of(f"{work}/root.tar.zst")
    if (template.name, template.sha256, packed) != (name, sha256, sha256):
        raise Corrupt(f"template {name} is not what was sent", hint="try again")
    os.chmod(work, 0o700)
    check(["sync", "-f", work])
    os.rename(work, final)
    sync_directory(os.path.dirname(final))
