"""State in one SQLite file: nothing to run, nothing to install, and a row change is whole or not there.

Guests are kept as JSON beside the few columns that must be unique, so that a new field of ``Guest`` needs no migration.
``synchronous=FULL`` with a write-ahead log costs one sync a transaction, and a verb has two: the intent and its end.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from wirt.errors import Conflict, Corrupt, Failed, NotFound, NotPermitted, OutOfSpace
from wirt.host import files, lock
from wirt.model.guest import Guest
from wirt.model.names import number_in
from wirt.model.pool import StoragePool
from wirt.state.base import MAKING_VERBS, Intent, address_taken, number_taken, numbers_of

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE guests (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, address TEXT NOT NULL UNIQUE, body BLOB NOT NULL
) STRICT;
CREATE TABLE journal (guest_id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_BUSY_SECONDS = 10.0
_POOL = "pool:"
"""What the keys of the settings begin with that are pools: a few, of which nothing but the name must be unique."""
_MORE_ADDRESSES = b'"addresses":["'
"""Stands in the body of a guest that has more than one address."""
_TOO_LITTLE = 64 * 1024
"""Bytes; opening a state needs half of that for its log's index."""

_encode = msgspec.json.Encoder().encode
_guest = msgspec.json.Decoder(Guest).decode
_intent = msgspec.json.Decoder(Intent).decode
_pool = msgspec.json.Decoder(StoragePool).decode


class SqliteStore:
    """The state of one home in ``wirt.db``."""

    def __init__(self, path: str) -> None:
        """Open the file and make it if it is not there.

        Raises:
            NotPermitted, Corrupt, Failed: it cannot be opened; the message names it.
        """
        self._path = path
        with self._translated():
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._create()
            elif version > SCHEMA_VERSION:
                raise Corrupt(
                    f"{path} was written by a newer Wirt (schema {version}, this one reads "
                    f"{SCHEMA_VERSION})",
                    hint="upgrade Wirt",
                )
            self._db.execute("PRAGMA synchronous=FULL")

    def _create(self) -> None:
        # SQLite lets nobody wait who turns the log on while somebody else does: it says at once that the file is locked.
        with (
            files.translated(f"make {self._path}"),
            lock.hold(f"{self._path}.lock", "the state", wait=_BUSY_SECONDS),
        ):
            if self._db.execute("PRAGMA user_version").fetchone()[0] != 0:
                return  # somebody else was first
            self._db.execute("PRAGMA journal_mode=WAL")
            with self._transaction():
                for statement in _SCHEMA.strip().split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            os.chmod(self._path, 0o600)

    def guests(self) -> list[Guest]:
        """Return all guests by name, those whose making is under way left out."""
        any_of = ", ".join("?" * len(MAKING_VERBS))
        with self._translated():
            rows = self._db.execute(
                "SELECT body FROM guests WHERE id NOT IN (SELECT guest_id FROM journal WHERE "
                f"json_extract(body, '$.verb') IN ({any_of})) ORDER BY name",
                sorted(MAKING_VERBS),
            ).fetchall()
            return [_guest(row[0]) for row in rows]

    def find(self, name: str) -> Guest:
        """Return a guest by name, or by its number: that costs a look at all.

        Raises:
            NotFound: there is none.
        """
        with self._translated():
            row = self._db.execute("SELECT body FROM guests WHERE name = ?", (name,)).fetchone()
            number = number_in(name)
            if row is None and number is not None:
                row = self._db.execute(
                    "SELECT body FROM guests WHERE json_extract(body, '$.number') = ?", (number,)
                ).fetchone()
            if row is None:
                raise NotFound(f"there is no guest {name}", hint="see wirt list")
            return _guest(row[0])

    def intents(self) -> list[Intent]:
        """Return what is under way, or was when its process died."""
        with self._translated():
            rows = self._db.execute("SELECT body FROM journal").fetchall()
            return [_intent(row[0]) for row in rows]

    def intent(self, guest_id: str) -> Intent | None:
        """Return what is under way for one guest."""
        with self._translated():
            row = self._db.execute(
                "SELECT body FROM journal WHERE guest_id = ?", (guest_id,)
            ).fetchone()
            return None if row is None else _intent(row[0])

    def begin(self, intent: Intent) -> None:
        """Write down what is going to be done; a new guest takes its name, number and address with it.

        Raises:
            Conflict: the name, the number or the address is taken, or a new guest's id.
        """
        guest = intent.guest
        with self._translated(), self._transaction():
            if intent.verb in MAKING_VERBS:
                self._check_new(guest)
            self._db.execute(
                "INSERT INTO journal VALUES (?, ?) ON CONFLICT (guest_id) DO UPDATE SET body = "
                "excluded.body",
                (guest.id, _encode(intent)),
            )
            self._check_free(guest)
            self._db.execute(
                "INSERT OR IGNORE INTO guests VALUES (?, ?, ?, ?)",
                (guest.id, guest.name, guest.address, _encode(guest)),
            )

    def _check_new(self, guest: Guest) -> None:
        row = self._db.execute("SELECT name FROM guests WHERE id = ?", (guest.id,)).fetchone()
        if row is not None:
            raise Conflict(f"guest id {guest.id} is that of guest {row[0]}", hint="try again")

    def _check_free(self, guest: Guest) -> None:
        self._check_numbers(guest)
        row = self._db.execute(
            "SELECT 1 FROM guests WHERE id != ? AND name = ?", (guest.id, guest.name)
        ).fetchone()
        if row is not None:
            raise Conflict(
                f"there is a guest {guest.name} already",
                hint=f"choose another name or destroy it first: wirt destroy {guest.name}",
            )
        self._check_addresses(guest)

    def _check_addresses(self, guest: Guest) -> None:
        """Look for another guest that has an address of this one's, or is about to; what it has already was looked for then."""
        row = self._db.execute("SELECT body FROM guests WHERE id = ?", (guest.id,)).fetchone()
        had = () if row is None else _guest(row[0]).held_addresses
        for address in set(guest.held_addresses) - set(had):
            # An address stands in quotes wherever a body holds one, and nothing else looks like it.
            quoted = f'"{address}"'.encode()
            row = self._db.execute(
                "SELECT name FROM guests WHERE id != ?1 AND (instr(body, ?2) OR id IN "
                "(SELECT guest_id FROM journal WHERE guest_id != ?1 AND instr(body, ?2)))",
                (guest.id, quoted),
            ).fetchone()
            if row is not None:
                raise address_taken(address, row[0])

    def _check_numbers(self, guest: Guest) -> None:
        """Look for another guest that answers to a number of this one's; most guests have none."""
        for number in numbers_of(guest):
            row = self._db.execute(
                "SELECT name FROM guests WHERE id != ? AND name != ? AND "
                "(name = ? OR json_extract(body, '$.number') = ?)",
                (guest.id, guest.name, str(number), number),
            ).fetchone()
            if row is not None:
                raise number_taken(number, row[0])

    def settle(self, guest_id: str, guest: Guest | None) -> None:
        """Strike the intent and set the guest to what it has become; None: it is gone.

        Raises:
            Conflict: its new name, number or address is taken.
        """
        with self._translated(), self._transaction():
            if guest is None:
                self._db.execute("DELETE FROM guests WHERE id = ?", (guest_id,))
            else:
                self._check_free(guest)
                self._db.execute(
                    "UPDATE guests SET name = ?, address = ?, body = ? WHERE id = ?",
                    (guest.name, guest.address, _encode(guest), guest_id),
                )
            self._db.execute("DELETE FROM journal WHERE guest_id = ?", (guest_id,))

    def addresses(self) -> set[str]:
        """Return every address that is taken, by guests under way too."""
        with self._translated():
            found = {row[0] for row in self._db.execute("SELECT address FROM guests")}
            rows = self._db.execute(
                "SELECT body FROM guests WHERE instr(body, ?)", (_MORE_ADDRESSES,)
            ).fetchall()
            return found.union(*(_guest(row[0]).held_addresses for row in rows))

    def ids(self) -> set[int]:
        """Return the number of every range of ids that is taken, by guests under way too."""
        with self._translated():
            rows = self._db.execute("SELECT json_extract(body, '$.ids') FROM guests").fetchall()
        return {row[0] for row in rows if row[0] is not None}

    def made_from(self, template: str) -> list[str]:
        """Return the names of the guests of a template, those under way too."""
        with self._translated():
            rows = self._db.execute(
                "SELECT name FROM guests WHERE json_extract(body, '$.template') = ? ORDER BY name",
                (template,),
            ).fetchall()
        return [str(row[0]) for row in rows]

    def is_empty(self) -> bool:
        """Return whether there is neither a guest nor an intent."""
        with self._translated():
            row = self._db.execute(
                "SELECT EXISTS (SELECT 1 FROM guests) OR EXISTS (SELECT 1 FROM journal)"
            ).fetchone()
        return not row[0]

    def setting(self, key: str) -> str | None:
        """Return what was kept under ``key``."""
        with self._translated():
            row = self._db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, key: str, value: str) -> str:
        """Keep ``value`` under ``key`` unless something is there, and return what is there now."""
        with self._translated():
            self._db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (key, value))
        return self.setting(key) or value

    def change(self, key: str, value: str) -> None:
        """Keep ``value`` under ``key``, whatever is there."""
        with self._translated():
            self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))

    def pools(self) -> list[StoragePool]:
        """Return the pools that were made, by name, those too that are half made or half gone."""
        with self._translated():
            rows = self._db.execute(
                "SELECT value FROM settings WHERE key GLOB ? ORDER BY key", (f"{_POOL}*",)
            ).fetchall()
            return [_pool(row[0]) for row in rows]

    def put_pool(self, pool: StoragePool) -> None:
        """Keep a pool, in the place of what there was of that name."""
        self.change(f"{_POOL}{pool.name}", _encode(pool).decode())

    def drop_pool(self, name: str) -> None:
        """Forget a pool; no error if there is none."""
        with self._translated():
            self._db.execute("DELETE FROM settings WHERE key = ?", (f"{_POOL}{name}",))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            said = str(error)
            # On a full disk the log's index cannot be made either, which SQLite calls an I/O error.
            if "full" in said or ("I/O" in said and files.free_bytes(self._path) < _TOO_LITTLE):
                raise OutOfSpace(
                    f"cannot write {self._path}: the disk is full",
                    hint="free some space and try again",
                ) from error
            if "unable to open" in said or "readonly" in said:
                raise NotPermitted(
                    f"cannot open {self._path}: {said}", hint="run it as root"
                ) from error
            raise Failed(f"{self._path}: {said}") from error
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            raise Corrupt(
                f"{self._path} is damaged: {error}", hint="restore it from a backup"
            ) from error
