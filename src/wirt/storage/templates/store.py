"""The cache of templates: built or imported once, packed, and turned into the forms that pools clone from.

A template is the directory ``NAME``: ``template.json``, the packed root and the forms made of it so far. Everything
is made in ``.tmp-NAME`` beside it, which its maker holds a lock on, and renamed as the last act. A crash therefore
leaves a ``.tmp-`` directory that nobody holds, and the next command removes it.

What this module must not know: guests. Whether one still uses a template is for the caller to say. Every command loads
it, so what makes something (tar, mmdebstrap, images) is imported where it is needed.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

import msgspec

from wirt.errors import (
    Conflict,
    Corrupt,
    Error,
    Failed,
    InvalidInput,
    NotFound,
    NotPermitted,
    OutOfSpace,
    WrongState,
)
from wirt.host.files import (
    disk_usage,
    free_bytes,
    is_full,
    sync_directory,
    translated,
    write_atomically,
)
from wirt.host.run import check
from wirt.model.names import check_template_name, enumerate_guests
from wirt.model.template import Template, TemplateSpec
from wirt.storage.templates.versions import Versions
from wirt.storage.templates.workdir import WorkDir, claimed, remove_leftovers
from wirt.units import MIB, render_bytes

PACKED = "root.tar.zst"
METADATA = "template.json"
FORMS = {"tree": "tree", "btrfs": "subvolume", "image": "root.img", "boot": "boot-3"}
"""Form -> its name in the template's directory; one that is made otherwise than before has another name than before."""

Progress = Callable[[str], None]


class TemplateCache:
    """The templates of one home.

    Args:
        directory: ``WIRT_HOME/templates``; made when first needed.
        metadata: a person's own directory of metadata, beside that which is shipped.
    """

    def __init__(self, directory: str, *, metadata: str | None = None) -> None:
        self._directory = directory
        self._metadata = metadata
        self._versions = Versions(directory)

    def clean_up(self) -> None:
        """Remove what dead makers of templates and forms left; what a living one is making stays."""
        with suppress(FileNotFoundError):
            remove_leftovers(self._directory)

    def build(self, spec: TemplateSpec, *, progress: Progress) -> Template:
        """Build a template from its metadata and return it.

        Raises:
            Conflict: there is a template of that name.
            Busy: it is being built.
            Unsupported: this machine's apt has no source for the suite.
            OutOfSpace, Failed: it could not be built; nothing is left of it.
        """
        started = time.monotonic()
        with self._making(spec.name, f"build template {spec.name}") as work:
            return self._seal(work, self._build_in(work, spec, progress), started)

    def update(self, spec: TemplateSpec, *, progress: Progress) -> Template:
        """Build a template anew beside what there is of it, make that the current version and return it.

        Guests keep the version that they were made from, until ``remove_unused`` is told that they are gone. A crash
        leaves the version before or the new one as the current one.

        Raises:
            NotFound: there is no template of that name.
            Busy, Unsupported, OutOfSpace, Failed: as ``build``; the version before is still the current one.
        """
        started, name = time.monotonic(), spec.name
        self.get(name)
        _check_root(f"update template {name}")
        with claimed(self._directory, name, wait=False) as work, self._explaining_full_disk(name):
            draft = self._build_in(work, spec, progress)
            template = self._seal(work, draft, started, beside=True)
            self._versions.switch(name, self._versions.called(name, template.sha256))
        return template

    def remove_unused(self, name: str, *, used: Collection[str]) -> None:
        """Delete the versions of a template that are neither current nor used.

        Args:
            name: the template's.
            used: the checksums of the versions that guests rest on.

        Raises:
            Busy: a form of it is being made.
        """
        *old, _ = self._versions.all(name)
        for version in old:
            if self._read(name, version).sha256 not in used:
                with claimed(self._directory, name, wait=False) as work:
                    os.rename(self._path(version), f"{work.path}/removed")
                    sync_directory(self._directory)

    def _build_in(self, work: WorkDir, spec: TemplateSpec, progress: Progress) -> Template:
        """Build the root of a template in a work directory and return what is known of it."""
        from wirt.storage.templates.boot import has_kernel
        from wirt.storage.templates.builder import build_root
        from wirt.storage.templates.specs import sha256_of_spec

        root = build_root(spec, work.path, lock=work.lock, progress=progress)
        tree = f"{work.path}/{FORMS['tree']}"
        os.rename(root, tree)
        progress("packing the root")
        return Template(
            name=spec.name,
            description=spec.description,
            distribution=spec.distribution,
            suite=spec.suite,
            packages=spec.packages,
            unpacked_bytes=disk_usage(tree),
            sha256="",
            packed_bytes=0,
            built=time.time(),
            build_seconds=0.0,
            spec_sha256=sha256_of_spec(spec),
            has_init=os.path.lexists(f"{tree}/sbin/init"),
            has_kernel=has_kernel(tree),
        )

    def import_root(
        self,
        path: str,
        name: str,
        *,
        image: str | None = None,
        skip_devices: bool = False,
        progress: Progress = lambda text: None,
    ) -> Template:
        """Make a template of a root file system that others have packed and return it.

        Args:
            path: a tar (plain, gzip, xz or zstd), or an OCI image layout, a directory or a tar.
            name: what the template is called.
            image: which one, of a layout with several.
            skip_devices: True to leave device nodes out, which are refused otherwise.
            progress: is told how many were left out.

        Raises:
            Conflict, Busy, OutOfSpace: as ``build``.
            NotFound: there is no such file.
            InvalidInput: it is neither, or one that is refused; names the member and the reason.
        """
        from wirt.storage.templates import oci
        from wirt.storage.templates.archive import check_beside, describe, normalise

        started = time.monotonic()
        if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
            raise InvalidInput(
                f"{path} is neither a file nor a directory",
                hint="write what comes from there into a file first, and give the path of that",
            )
        if not os.path.exists(path):
            raise NotFound(
                f"there is no file {path}", hint="give the path of a tar or of an OCI image layout"
            )
        label = os.path.basename(os.path.abspath(path))
        with self._making(name, f"import {label}") as work:
            room, packed = free_bytes(self._directory), f"{work.path}/{PACKED}"
            if oci.is_layout(path):
                contents = oci.flatten(
                    path,
                    packed,
                    f"{work.path}/layout",
                    room=room,
                    image=image,
                    skip_devices=skip_devices,
                )
            elif image is not None:
                raise InvalidInput(
                    f"{label} is no OCI image layout, so it holds no image {image!r}",
                    hint="leave --image out",
                )
            else:
                check_beside(path)
                contents = normalise(path, packed, room=room, skip_devices=skip_devices)
            if contents.devices_left_out:
                progress(f"device nodes left out: {contents.devices_left_out}")
            return self._seal(work, describe(name, f"imported from {label}", contents), started)

    def take_tree(
        self,
        root: str | IO[bytes],
        name: str,
        *,
        origin: str,
        of_machine: bool = False,
        progress: Progress,
    ) -> Template:
        """Make a template of a root without what is that one guest's or machine's, and return it; as ``Templates`` says."""
        from wirt.storage.templates.archive import describe, pack_anew

        started = time.monotonic()
        with self._making(name, f"make template {name}") as work:
            contents, put_right = pack_anew(
                root,
                f"{work.path}/{PACKED}",
                origin=origin,
                room=free_bytes(self._directory),
                of_machine=of_machine,
            )
            for line in put_right:
                progress(line)
            return self._seal(work, describe(name, f"made of {origin}", contents), started)

    def get(self, name: str) -> Template:
        """Return a template.

        Raises:
            NotFound: there is none of that name.
            Corrupt: what is stored of it cannot be read.
        """
        check_template_name(name)
        return self._read(name, self._versions.current(name))

    def _read(self, name: str, version: str) -> Template:
        path = self._path(version, METADATA)
        try:
            with open(path, "rb") as file:
                return msgspec.json.decode(file.read(), type=Template)
        except FileNotFoundError:
            from wirt.storage.templates.specs import say_missing

            raise say_missing(name, self._metadata) from None
        except PermissionError as error:
            raise _for_root_only() from error
        except msgspec.DecodeError as error:
            raise self._damage(name, path, str(error)) from error

    def list(self) -> Sequence[Template]:
        """Return all finished templates, by name."""
        try:
            names = list(self._versions.names())
        except FileNotFoundError:
            return []
        except PermissionError as error:
            raise _for_root_only() from error
        found = []
        for name in names:
            # What is no template's name (a work directory, lost+found) or holds none is not ours to complain about.
            with suppress(InvalidInput, NotFound):
                found.append(self.get(name))
        return found

    def export(self, name: str, path: str) -> Template:
        """Write the packed root of a template to ``path``, its checksum beside it, and return the template.

        The file has its name once it is whole; the checksum, ``path`` with ``.sha256``, has the form of sha256sum.

        Raises:
            NotFound: there is none of that name.
            Corrupt: the packed root is not what it was when it was made.
            Conflict: there is a file of that name.
            OutOfSpace, NotPermitted, Failed: it could not be written.
        """
        from wirt.storage.templates.archive import copy_checked

        template, packed = self.get(name), self._path(self._versions.current(name), PACKED)
        checksum = f"{path}.sha256"
        for one in (path, checksum):
            if os.path.lexists(one):
                raise Conflict(f"there is a file {one}", hint="give another name, or remove it")
        if not os.path.isfile(packed):
            raise self._damage(name, packed, "it is gone")
        with translated(f"export template {name}"):
            if not copy_checked(packed, path, template.sha256):
                raise self._damage(name, packed, "it is not what was packed")
            line = f"{template.sha256}  {os.path.basename(path)}\n"
            write_atomically(checksum, line.encode(), mode=0o644)
        return template

    def remove(self, name: str, *, used_by: Sequence[str] = ()) -> None:
        """Delete a template and its forms.

        Args:
            name: the template's.
            used_by: names of the guests whose roots rest on it.

        Raises:
            NotFound: there is none of that name.
            WrongState: guests use it.
            Busy: a form of it is being made.
        """
        check_template_name(name)
        _check_root("remove a template")
        if used_by:
            raise WrongState(
                f"template {name} is used by {enumerate_guests(used_by)}",
                hint=f"destroy {'it' if len(used_by) == 1 else 'them'} first",
            )
        if not os.path.isdir(self._path(self._versions.current(name))):
            self.get(name)
        with claimed(self._directory, name, wait=False) as work:
            # The current one goes last: until then a crash leaves the template, and after it none.
            for number, version in enumerate(self._versions.all(name)):
                os.rename(self._path(version), f"{work.path}/removed-{number}")
            self._versions.forget(name)
            sync_directory(self._directory)

    def find(self, name: str, sha256: str) -> str | None:
        """Return the directory of one version of a template, None if it is not there."""
        version = self._versions.of(name, sha256)
        with suppress(NotFound):
            if self._read(name, version).sha256 == sha256:
                return self._path(version)
        return None

    @contextmanager
    def arriving(self, name: str) -> Iterator[str]:
        """Give the directory that a template from another node is put into; what has not been adopted of it goes."""
        os.makedirs(self._directory, exist_ok=True)
        with claimed(self._directory, check_template_name(name), wait=False) as work:
            yield work.path

    def adopt(self, work: str, name: str, sha256: str) -> None:
        """Make a template of what has come, beside another version if there is one, or give one that is there what it lacks."""
        from wirt.storage.templates.arriving import adopt

        is_there = os.path.lexists(self._path(self._versions.current(name)))
        final = self._versions.called(name, sha256) if is_there else name
        adopt(work, self.find(name, sha256) or self._path(final), name, sha256)

    def path_of_form(
        self, name: str, form: str, *, sha256: str | None = None, within: str | None = None
    ) -> str:
        """Return where a form of a template is, making it on first need.

        It is there for as long as the version is: an update makes a new version beside it. ``sha256`` names the version;
        None: the current one. ``within`` is a directory of a pool's to have it in; None: with the template.

        "tree" is an unpacked directory, "btrfs" the same as a subvolume, "image" a raw ext4 image, "boot" a directory
        with the kernel (``vmlinuz``) and a small initial ramdisk (``initrd.img``).

        Raises:
            NotFound, Corrupt, OutOfSpace: there is no such template, it is damaged, or it does not fit.
            Unsupported: this template or this disk cannot have that form.
        """
        versions = self._versions
        version = versions.current(name) if sha256 is None else versions.of(name, sha256)
        final = self._path(version, FORMS[form])
        if within is not None:
            final = os.path.join(within, versions.called(name, self._read(name, version).sha256))
        if os.path.lexists(final):
            return final
        check_template_name(name)
        template = self._read(name, version)
        # Made of the tree: it must be there before the work directory is claimed for the form.
        tree = (
            self.path_of_form(name, "tree", sha256=template.sha256)
            if form in ("image", "boot")
            else ""
        )
        _check_root(f"make the {form} of template {name}")
        making = claimed(within or self._directory, name, wait=True)
        with making as work, self._explaining_full_disk(name, within):
            if not os.path.lexists(final):
                fresh = f"{work.path}/{FORMS[form]}"
                packed = self._path(version, PACKED)
                self._make_form(template, form, packed=packed, fresh=fresh, tree=tree)
                check(["sync", "-f", work.path])
                os.rename(fresh, final)
                sync_directory(os.path.dirname(final))
        return final

    def remove_unknown_forms(self, within: str) -> None:
        """Delete the forms in a directory of a pool's that are of no template that there is."""
        from wirt.storage.templates.forms import remove_others

        known = [
            self._versions.called(template.name, self._read(template.name, version).sha256)
            for template in self.list()
            for version in self._versions.all(template.name)
        ]
        remove_others(within, known)

    def _make_form(
        self, template: Template, form: str, *, packed: str, fresh: str, tree: str
    ) -> None:
        from wirt.storage.templates import forms

        match form:
            case "tree":
                forms.make_tree(template, packed, fresh)
            case "btrfs":
                forms.make_subvolume(template, packed, fresh)
            case "image":
                forms.make_image(template, tree, fresh)
            case _:
                forms.make_boot(tree, fresh)

    def _seal(
        self, work: WorkDir, draft: Template, started: float, *, beside: bool = False
    ) -> Template:
        """Pack the root if it is not yet, write the metadata and give the work directory its name.

        That is the template's; ``beside`` the first version, it is that of a later one.
        """
        from wirt.storage.templates.archive import pack, sha256_of

        packed = f"{work.path}/{PACKED}"
        if not os.path.exists(packed):
            pack(f"{work.path}/{FORMS['tree']}", packed)
        template = msgspec.structs.replace(
            draft,
            sha256=sha256_of(packed),
            packed_bytes=os.path.getsize(packed),
            build_seconds=round(time.monotonic() - started, 3),
        )
        content = msgspec.json.format(msgspec.json.encode(template), indent=2)
        write_atomically(f"{work.path}/{METADATA}", content + b"\n")
        # The tree holds set-user-id programs of a foreign system: nobody but root may reach them.
        os.chmod(work.path, 0o700)
        check(["sync", "-f", work.path])
        name = template.name
        final = self._path(self._versions.called(name, template.sha256) if beside else name)
        # A crash before this line leaves nothing that looks finished; after it, all of it.
        if not (beside and os.path.isdir(final)):
            os.rename(work.path, final)
        sync_directory(self._directory)
        return template

    @contextmanager
    def _making(self, name: str, what: str) -> Iterator[WorkDir]:
        """Give the work directory for a template that is not there yet."""
        check_template_name(name)
        _check_root(what)
        self._check_absent(name)
        os.makedirs(self._directory, exist_ok=True)
        with claimed(self._directory, name, wait=False) as work, self._explaining_full_disk(name):
            self._check_absent(name)
            yield work

    def _check_absent(self, name: str) -> None:
        if os.path.lexists(self._path(self._versions.current(name))):
            raise Conflict(
                f"there is a template called {name}",
                hint=f"to build it anew: wirt template update {name}; else take another name, or "
                f"remove it with wirt template remove {name}",
            )

    @contextmanager
    def _explaining_full_disk(self, name: str, within: str | None = None) -> Iterator[None]:
        place = within or self._directory
        larger = "make a larger pool" if within else "set WIRT_HOME to a directory on a larger disk"
        free = free_bytes(place)
        try:
            yield
        except (OSError, Failed) as error:
            if not (is_full(error) or free_bytes(place) < 4 * MIB):
                raise
            raise OutOfSpace(
                f"template {name} does not fit into {place}: "
                f"it needs more than the {render_bytes(free)} that are free there",
                detail=error.detail if isinstance(error, Error) else str(error),
                hint=f"free some space, or {larger}",
            ) from error

    def _path(self, *parts: str) -> str:
        return os.path.join(self._directory, *parts)

    @staticmethod
    def _damage(name: str, path: str, reason: str) -> Corrupt:
        return Corrupt(
            f"template {name} is damaged: {path}: {reason}",
            hint=f"remove it with wirt template remove {name} and make it again",
        )


def _check_root(what: str) -> None:
    if os.geteuid() != 0:
        raise NotPermitted(f"only root may {what}", hint="run it with sudo")


def _for_root_only() -> NotPermitted:
    return NotPermitted("only root may read templates", hint="run it with sudo")
