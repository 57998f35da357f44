"""The file that says which host is which node of one cluster."""

import json
import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from ...errors import ClusterBusy, InvalidInput
from ...group import checked_name
from ...host import Host
from ...store.folder import (
    check_folder,
    encoded,
    make_folder,
    read_file,
    state_folder,
    unusable,
    write_file,
)
from ...store.lock import Locked, locked
from .place import Place, Use

FORMAT = 1
FOLDER = "hosts"
WAIT, LOOK_AGAIN = 5.0, 0.005
"""Seconds to wait for others, who need milliseconds, and between two looks at them."""

Change = Callable[[tuple[Place, ...]], tuple[Place, ...]]
"""Decides what the places are to be."""


class Register:
    """What is kept of one cluster's hosts; there is no file where there are none."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._folder = state_folder() / FOLDER
        self._file = self._folder / f"{encoded(cluster)}.json"
        self._lock = self._folder / f"{encoded(cluster)}.lock"

    def places(self) -> tuple[Place, ...]:
        """Return all places; raise `InvalidInput` if the file is damaged."""
        if not (check_folder(self._folder.parent) and check_folder(self._folder)):
            return ()
        data = read_file(self._file, fix=self._remedy)
        return () if data is None else self._read(data)

    def change(self, change: Change) -> tuple[Place, ...]:
        """Replace the places, or leave them if `change` raises; nobody else does meanwhile."""
        try:
            with ExitStack() as held:
                self._take_lock(held)
                try:
                    before = self.places()
                    after = change(before)
                    if after != before:
                        self._write(after)
                    return after
                finally:
                    if not self._file.exists():
                        self._lock.unlink()
        finally:
            self._tidy()

    def _take_lock(self, held: ExitStack) -> None:
        """Have the lock; there is no await in here, so groups get hosts in their order."""
        deadline = time.monotonic() + WAIT
        pid = 0
        while True:
            make_folder(self._folder.parent)
            make_folder(self._folder)
            with suppress(FileNotFoundError):  # somebody tidied the folder away
                try:
                    return held.enter_context(locked(self._lock))
                except Locked as error:
                    pid = error.pid
            if time.monotonic() > deadline:
                raise ClusterBusy(
                    f"the hosts of cluster '{self._cluster}' are busy",
                    cause=f"process {pid or 'unknown'} is at work on them",
                    fix="wait until that is done, or end it, and try again",
                )
            time.sleep(LOOK_AGAIN)

    def _write(self, places: tuple[Place, ...]) -> None:
        if not places:
            return self._file.unlink(missing_ok=True)
        content = {
            "format": FORMAT,
            "cluster": self._cluster,
            "hosts": [_content(place) for place in places],
        }
        return write_file(self._file, json.dumps(content, indent=1).encode() + b"\n")

    def _tidy(self) -> None:
        with suppress(OSError):  # not empty: there are others
            self._folder.rmdir()
            self._folder.parent.rmdir()

    def _read(self, data: bytes) -> tuple[Place, ...]:
        try:
            content = json.loads(data)
            version = int(content["format"])
            if version == FORMAT and content["cluster"] == self._cluster:
                return tuple(_place(one) for one in content["hosts"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._damaged(f"{type(error).__name__}: {error}") from error
        except InvalidInput as error:  # a tag that nothing can have
            raise self._damaged(str(error)) from error
        if version > FORMAT:
            raise unusable(
                self._file, f"its format is {version}, not {FORMAT}", "upgrade tinycloud"
            )
        raise self._damaged("it is not what tinycloud wrote")

    def _damaged(self, cause: str) -> InvalidInput:
        return unusable(self._file, cause, self._remedy)

    @property
    def _remedy(self) -> str:
        path, again = shlex.quote(str(self._file)), "launch with the same hosts again"
        return f"rm {path}, then {again}: the hosts themselves know nothing of it"


def _content(place: Place) -> dict[str, object]:
    return {
        "tag": place.tag,
        "index": place.index,
        "id": place.id,
        "address": place.host.address,
        "port": place.host.port,
        "username": place.host.username,
        "use": place.use,
    }


def _place(content: dict[str, Any]) -> Place:
    username = content["username"]
    return Place(
        tag=checked_name(content["tag"], "tag"),
        index=int(content["index"]),
        id=str(content["id"]),
        host=Host(
            address=str(content["address"]),
            port=int(content["port"]),
            username=None if username is None else str(username),
        ),
        use=Use(content["use"]),
    )
