"""Templates: what a root is made from."""

import msgspec

from wirt.units import GIB

SMALLEST_IMAGE = 4 * GIB
"""Size of an image's file system unless the root needs more; the file is sparse."""


class TemplateSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The metadata a person writes, one TOML file a template."""

    name: str
    description: str = ""
    distribution: str
    suite: str
    packages: list[str]
    scripts: list[str] = []
    """Shell scripts run inside the root after the packages are installed, in order."""
    exclude: list[str] = []
    """Paths that packages may not unpack (documentation, translations)."""


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A built (or imported) template: its packed root and what is known of it."""

    name: str
    description: str
    distribution: str
    suite: str
    packages: list[str]
    sha256: str
    """Of the packed root."""
    packed_bytes: int
    unpacked_bytes: int
    built: float
    """Unix time, seconds."""
    build_seconds: float
    imported: bool = False
    spec_sha256: str | None = None
    """Of the metadata that it was built from, scripts and all; None if that is not known."""
    has_init: bool | None = None
    """It has a first program, ``/sbin/init``; None: nobody looked, as Wirt did not always."""
    has_kernel: bool | None = None
    """It has a kernel with its modules; None as before."""

    @property
    def image_bytes(self) -> int:
        """Size of the raw image that disks of guests are layers on."""
        return max(SMALLEST_IMAGE, 2 * self.unpacked_bytes)
