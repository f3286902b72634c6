"""Makes OCI image layouts, good ones and spoilt ones, with nothing but the standard library."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
PLATFORM = {"architecture": ARCHITECTURE, "os": "linux"}
RELEASE = b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
BASE: list["Entry"] = []
"""A layer that makes a root of whatever is laid upon it."""


class Entry:
    """One member of a layer."""

    def __init__(
        self, name: str, content: bytes | None = None, *, link: str = "", kind: bytes = b""
    ) -> None:
        info = tarfile.TarInfo(name)
        if kind:
            info.type = kind
        elif link:
            info.type = tarfile.SYMTYPE
        elif content is None:
            info.type = tarfile.DIRTYPE
        info.mode = 0o755 if info.isdir() else 0o644
        info.linkname = link
        info.size = len(content or b"")
        self.info = info
        self.content = content or b""


BASE += [Entry("usr"), Entry("etc"), Entry("usr/lib"), Entry("usr/lib/os-release", RELEASE)]


def build_layer(entries: Sequence[Entry]) -> bytes:
    """Return the plain tar of a layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            tar.addfile(entry.info, io.BytesIO(entry.content))
    return out.getvalue()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class LayoutBuilder:
    """Writes a layout into a directory, blob by blob."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, digest: str) -> Path:
        return self.path / "blobs" / digest.replace(":", "/")

    def add(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Write a blob and return its descriptor."""
        digest = digest_of(content)
        self.blob(digest).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def add_json(self, document: object, kind: str, **more: Any) -> dict[str, Any]:
        return self.add(json.dumps(document).encode(), f"{OCI}.{kind}.v1+json", **more)

    def add_image(
        self,
        layers: Sequence[Sequence[Entry]],
        *,
        packing: str = "",
        platform: Mapping[str, str] = PLATFORM,
        layer_type: str | None = None,
        diff_ids: Sequence[str] | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Write layers, configuration and manifest, and return the manifest's descriptor."""
        plain = [build_layer(entries) for entries in layers]
        ending = f"+{packing}" if packing else ""
        found = [
            self.add(_packed(one, packing), layer_type or f"{OCI}.layer.v1.tar{ending}")
            for one in plain
        ]
        sums = [digest_of(one) for one in plain] if diff_ids is None else diff_ids
        config = {**platform, "rootfs": {"type": "layers", "diff_ids": sums}}
        manifest = {
            "schemaVersion": 2,
            "config": self.add_json(config, "config"),
            "layers": found,
        }
        annotations = {} if name is None else {"org.opencontainers.image.ref.name": name}
        return self.add_json(manifest, "manifest", annotations=annotations)

    def write_index(self, *manifests: Mapping[str, Any]) -> Path:
        index = {"schemaVersion": 2, "manifests": list(manifests)}
        (self.path / "index.json").write_text(json.dumps(index))
        return self.path

    def as_tar(self, path: Path) -> Path:
        with tarfile.open(path, "w") as tar:
            for part in sorted(self.path.rglob("*")):
                tar.add(part, str(part.relative_to(self.path)), recursive=False)
        return path


def _packed(plain: bytes, packing: str) -> bytes:
    if packing == "gzip":
        return gzip.compress(plain, mtime=0)
    if packing == "zstd":
        return subprocess.run(["zstd", "-qc"], input=plain, capture_output=True, check=True).stdout
    return plain
