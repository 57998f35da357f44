"""The life of a node's process, from just after its birth to its end."""

import asyncio
import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ...node import node_name
from ...ssh.server import Children, Machine, serving
from ...store.folder import write_file
from .folders import GroupFolder, NodeFolder
from .lifetime import note_the_end, the_end, vanish
from .tree import end_descendants

LOG_LIMIT = 1 << 16
_PASSED_ON = ("PATH", "LANG", "TZ", "TMPDIR")
_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 15, 36
_LIBRARY = ctypes.CDLL(None)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """All that a new node's process must know."""

    group: GroupFolder
    folder: NodeFolder
    cluster: str
    tag: str
    id: str
    username: str
    login_shell: str
    host_key: bytes = field(repr=False)
    deadline: float | None

    @property
    def name(self) -> str:
        """The node's name."""
        return node_name(self.tag, self.folder.index)


def begin(birth: Birth, listening: socket.socket, await_word: int) -> NoReturn:
    """Wait for the word, then live until told to stop; without it, leave no trace."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        _close_all_but({0, 1, 2, listening.fileno(), await_word})
        if os.read(await_word, 1):
            os.close(await_word)
            _live(birth, listening)
    except BaseException:
        _log(birth.folder.log, traceback.format_exc())
    finally:
        # At once: taking down the interpreter would cost more than all the rest of the stop.
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    """Close what we have from the forker: its pipes, the lock, other nodes' sockets."""
    for name in os.listdir("/dev/fd"):
        if int(name) not in kept:
            with suppress(OSError):
                os.close(int(name))


def _live(birth: Birth, listening: socket.socket) -> None:
    os.setsid()
    if sys.platform == "linux":
        _LIBRARY.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _LIBRARY.prctl(_PR_SET_NAME, birth.name.encode()[:15], 0, 0, 0)
    # Not `asyncio.run`, which would wait for threads that still look up some name.
    asyncio.new_event_loop().run_until_complete(_serve(birth, listening))


async def _serve(birth: Birth, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log(birth.folder.log, _told(context)))
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, told_to_stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    with Children() as children:
        async with serving(listening, machine(birth, os.environ), children) as server:
            expired = await the_end(birth.folder, birth.deadline, told_to_stop)
            server.close()
            await end_descendants(children)
    if expired and not told_to_stop.is_set():
        vanish(birth.folder, birth.group)
    else:
        note_the_end(birth.folder)


def machine(birth: Birth, launcher: Mapping[str, str]) -> Machine:
    """Return the machine that the node is; of the launcher's environment it knows a little."""
    passed_on = {
        key: value for key, value in launcher.items() if key in _PASSED_ON or key.startswith("LC_")
    }
    own = {
        "TINYCLOUD_CLUSTER": birth.cluster,
        "TINYCLOUD_NODE": birth.name,
        "TINYCLOUD_NODE_ID": birth.id,
    }
    return Machine(
        username=birth.username,
        home=birth.folder.home,
        login_shell=birth.login_shell,
        host_key=birth.host_key,
        authorized_keys=birth.folder.authorized_keys,
        environment={"PATH": _PATH} | passed_on | own,
    )


def _told(context: Mapping[str, object]) -> str:
    error = context.get("exception")
    lines = traceback.format_exception(error) if isinstance(error, BaseException) else []
    return f"{context.get('message')}\n{''.join(lines)}"


def _log(path: Path, text: str) -> None:
    """Add to the node's log, which stays small."""
    with suppress(Exception):
        old = path.read_bytes() if path.exists() else b""
        write_file(path, (old + text.encode())[-LOG_LIMIT:], durable=False)
