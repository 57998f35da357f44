"""The life of a node's process, from just after its birth to its end."""

import asyncio
import ctypes
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from ...node import node_name
from ...ssh.server import Children, Machine, serving
from ...store.folder import write_file
from .account import shell, username
from .folders import GroupFolder, NodeFolder
from .lock import lock_from_below
from .tree import end_descendants

LOG_LIMIT = 1 << 16
OPEN_FILES = 4096
LOOK_AROUND = 60.0
"""Seconds between two looks at the clock and at our own folder."""
_PASSED_ON = ("PATH", "LANG", "TZ", "TMPDIR")
_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 15, 36
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """All that a new node's process must know."""

    group: GroupFolder
    folder: NodeFolder
    cluster: str
    tag: str
    id: str
    host_key: bytes = field(repr=False)
    deadline: float | None

    @property
    def name(self) -> str:
        """The node's name."""
        return node_name(self.tag, self.folder.index)


def live(birth: Birth, listening: socket.socket) -> NoReturn:
    """Be the node until told to stop, and end this process."""
    try:
        _settle_in(birth)
        asyncio.run(_serve(birth, listening))
    except BaseException:
        _log(birth.folder.log, traceback.format_exc())
        os._exit(1)
    # At once: taking down the interpreter would cost more than all the rest of the stop.
    os._exit(0)


def _settle_in(birth: Birth) -> None:
    os.setsid()
    os.chdir(birth.folder.home)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with suppress(OSError, ValueError):  # some are the C library's own
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # errors tell of these, as ever in Python
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_NOFILE,
            (OPEN_FILES if most == resource.RLIM_INFINITY else min(most, OPEN_FILES), most),
        )
    if sys.platform == "linux":
        process = ctypes.CDLL(None)
        process.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        process.prctl(_PR_SET_NAME, birth.name.encode()[:15], 0, 0, 0)


async def _serve(birth: Birth, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log(birth.folder.log, _told(context)))
    told_to_stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told_to_stop.set)
    with Children() as children:
        async with serving(listening, machine(birth, os.environ), children):
            expired = await _until_the_end(birth, told_to_stop)
        await end_descendants(children)
    if expired:
        _vanish(birth)
    else:
        _note_the_end(birth.folder)


def machine(birth: Birth, launcher: Mapping[str, str]) -> Machine:
    """Return the machine that the node is; of the launcher's environment it knows a little."""
    passed_on = {
        key: value
        for key, value in launcher.items()
        if key in _PASSED_ON or key.startswith("LC_")
    }
    own = {
        "TINYCLOUD_CLUSTER": birth.cluster,
        "TINYCLOUD_NODE": birth.name,
        "TINYCLOUD_NODE_ID": birth.id,
    }
    return Machine(
        username=username(),
        home=birth.folder.home,
        shell=shell(),
        host_key=birth.host_key,
        authorized_keys=birth.folder.authorized_keys,
        environment={"PATH": _PATH} | passed_on | own,
    )


async def _until_the_end(birth: Birth, told_to_stop: asyncio.Event) -> bool:
    """Wait until told to stop, or until the node's time is over: then return True."""
    while not told_to_stop.is_set():
        left = LOOK_AROUND if birth.deadline is None else birth.deadline - time.time()
        # Nobody could find us any more, should the folder be deleted by hand.
        if left <= 0 or not birth.folder.path.exists():
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, LOOK_AROUND)):
                await told_to_stop.wait()
    return False


def _note_the_end(folder: NodeFolder) -> None:
    """Write down that no process is left of this node."""
    record = folder.record()
    if record is not None and record.process and record.process.pid == os.getpid():
        folder.write_record(replace(record, process=None))


def _vanish(birth: Birth) -> None:
    with lock_from_below(birth.group.lock, lambda: False) as held:
        if held:
            os.chdir("/")
            birth.folder.remove()
            birth.group.remove_if_empty()


def _told(context: Mapping[str, object]) -> str:
    error = context.get("exception")
    lines = traceback.format_exception(error) if isinstance(error, BaseException) else []
    return f"{context.get('message')}\n{''.join(lines)}"


def _log(path: Path, text: str) -> None:
    """Add to the node's log, which stays small."""
    with suppress(Exception):
        old = path.read_bytes() if path.exists() else b""
        write_file(path, (old + text.encode())[-LOG_LIMIT:], durable=False)
