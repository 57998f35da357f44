"""The user's own known hosts, as OpenSSH keeps them: read, and never written."""

import binascii
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import InvalidInput
from ..store.openssh import check_public_key
from ..text import printable

PORT = 22
AUTHORITY, REVOKED = "@cert-authority", "@revoked"


def default_files() -> tuple[Path, ...]:
    """Return where OpenSSH looks, too: the user's own file, and the machine's."""
    return Path.home() / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts")


def read_known_hosts(path: Path | None = None) -> "KnownHosts":
    """Return the known hosts in this file; without one, in those that OpenSSH reads.

    Raises `InvalidInput` if the file, or one of those that exist, can't be read.
    """
    files = default_files() if path is None else (path,)
    return KnownHosts(
        entry for file in files for entry in _entries(_text(file, needed=path is not None), file)
    )


def _text(file: Path, *, needed: bool) -> str:
    try:
        return file.read_bytes().decode("latin-1")  # names and keys are ASCII, comments anything
    except FileNotFoundError as error:
        if not needed:
            return ""
        cause = error.strerror or ""
    except OSError as error:
        cause = error.strerror or str(error)
    raise InvalidInput(
        f"can't read the known hosts in {file}",
        cause=cause,
        fix="give the path of a file such as ~/.ssh/known_hosts, and yourself access to it",
    )


class Entry(NamedTuple):
    """One line: which hosts it is about, and what it says of them.

    `key` is an OpenSSH public key line whose comment tells where it stands.
    """

    marker: str
    hosts: str
    key: str


def _entries(text: str, file: Path) -> Iterator[Entry]:
    """Yield what the lines of a file say; OpenSSH, too, passes over what it can't read."""
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", AUTHORITY, REVOKED):
            continue
        hosts, kind, blob = words[:3]
        yield Entry(marker, hosts, f"{kind} {blob} {printable(str(file))} line {number}")


@dataclass(frozen=True, slots=True)
class _Hashed:
    """The hash of one host's name (HMAC-SHA1), as `HashKnownHosts` makes it."""

    salt: bytes
    hash: bytes

    def matches(self, name: str) -> bool:
        return hmac.digest(self.salt, name.encode(), "sha1") == self.hash


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Names with `*` and `?`; a name that matches one with a `!` before it is not meant."""

    meant: tuple[re.Pattern[str], ...]
    excepted: tuple[re.Pattern[str], ...]

    def matches(self, name: str) -> bool:
        return any(p.fullmatch(name) for p in self.meant) and not any(
            p.fullmatch(name) for p in self.excepted
        )


class KnownHosts:
    """Answers what is known of a host; names are compared as OpenSSH does."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._named: dict[str, list[Entry]] = {}
        self._others: list[tuple[_Hashed | _Patterns, Entry]] = []
        for entry in entries:
            if entry.hosts.startswith("|"):
                self._add_hashed(entry)
            elif re.search("[*?!]", entry.hosts):
                self._others.append((_patterns(entry.hosts), entry))
            else:
                for name in entry.hosts.lower().split(","):
                    self._named.setdefault(name, []).append(entry)

    def _add_hashed(self, entry: Entry) -> None:
        try:
            _, method, salt, hash_ = entry.hosts.split("|")
            hashed = _Hashed(binascii.a2b_base64(salt), binascii.a2b_base64(hash_))
        except ValueError:
            return
        if method == "1":
            self._others.append((hashed, entry))

    def host_key(self, address: str, port: int = PORT) -> str | None:
        """Return what the host must prove, as `Node.host_key` says it; None if nothing is known.

        Beside keys there may be authorities and revoked keys. What is known of an
        address without a port is about port 22, but authorities and revocations hold
        for the others too.
        """
        name = address.lower()
        if port == PORT:
            found = self._about(name)
        else:
            found = [*self._about(f"[{name}]:{port}"), *filter(_far_reaching, self._about(name))]
        lines = dict.fromkeys(f"{entry.marker} {entry.key}".lstrip() for entry in found)
        return "\n".join(lines) or None

    def _about(self, name: str) -> list[Entry]:
        found = self._named.get(name, []) + [e for m, e in self._others if m.matches(name)]
        return [entry for entry in found if _is_whole(entry)]


def _patterns(hosts: str) -> _Patterns:
    patterns = hosts.lower().split(",")
    return _Patterns(
        meant=tuple(_pattern(p) for p in patterns if not p.startswith("!")),
        excepted=tuple(_pattern(p[1:]) for p in patterns if p.startswith("!")),
    )


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*+|\?)", text)
    return re.compile(
        "".join({"*": ".*", "?": "."}.get(part[:1], re.escape(part)) for part in parts)
    )


def _far_reaching(entry: Entry) -> bool:
    return bool(entry.marker)


def _is_whole(entry: Entry) -> bool:
    """Return whether the key can be one: OpenSSH passes over others."""
    try:
        check_public_key(entry.key)
    except ValueError:
        return False
    return True
