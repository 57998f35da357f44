"""Bring the nodes of a group into the world: done by the forker, in its own process."""

import functools
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ...errors import MachineError
from ...ssh.server import new_host_key, public_line, rehearse
from ...store.folder import make_folder, read_file, write_file
from .account import login_shell, username
from .folders import GroupFolder, NodeFolder
from .home import make_home
from .life import Birth, begin
from .lock import lock_from_below
from .order import Order
from .plan import to_run
from .process import this_process
from .record import NodeRecord
from .sweep import sweep

BACKLOG = 128
MANY = 4
"""Nodes for which a rehearsal takes less time than it saves."""
LITTER = 32
"""Nodes forked at one go: after a fork each page we write to is copied, better once for all."""


@dataclass(frozen=True, slots=True)
class Unborn:
    """A node that has all but a process."""

    birth: Birth
    host_key: str
    launched_at: float
    listening: socket.socket


@dataclass(frozen=True, slots=True)
class Newborn:
    """A node's process that waits for the word to live."""

    unborn: Unborn
    pid: int
    give_word: int


def fulfil(order: Order, abandoned: Callable[[], bool]) -> None:
    """Make the group's nodes run, for as long as somebody waits for them."""
    group = GroupFolder(Path(order.root), order.cluster, order.tag)
    for _ in range(10):  # somebody may remove the folder while we make it
        group.make()
        with lock_from_below(group.lock, abandoned) as held:
            if held:
                _make_nodes(order, group, abandoned)
                group.remove_if_empty()
                return
        if abandoned():
            group.prune()
            return
    raise MachineError(
        f"can't make the folder of group '{order.tag}'",
        cause="others keep removing it",
        fix="let no other program remove the state folder, and run the same command again",
    )


def _make_nodes(order: Order, group: GroupFolder, abandoned: Callable[[], bool]) -> None:
    waiting = to_run(group, order.count)
    if len(waiting) >= MANY:
        _rehearse_once()
    sweep([folder for folder in waiting if folder.path.exists()])
    for first in range(0, len(waiting), LITTER):
        # Asked under the lock: who destroyed the group before believes that it is gone.
        if abandoned():
            return
        with ExitStack() as held:
            _bear([_furnish(order, group, f, held) for f in waiting[first : first + LITTER]], held)


@functools.cache
def _rehearse_once() -> None:
    """Do in this process what all nodes would do alike: it saves each some milliseconds."""
    rehearse()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # again: the rehearsal has reset it
    gc.collect()
    gc.freeze()


def _furnish(order: Order, group: GroupFolder, folder: NodeFolder, held: ExitStack) -> Unborn:
    """Make what is missing of the node's folder, and have its port listen."""
    now = time.time()
    old = folder.record()
    if not folder.has_record() or (old is not None and old.expired(now)):
        folder.remove()  # half made, or half removed: nothing in it can be relied on
        old = None
    make_folder(folder.path)
    private, public = _host_key(folder)
    if not folder.authorized_keys.exists():
        lines = "".join(f"{line}\n" for line in order.authorized_keys)
        write_file(folder.authorized_keys, lines.encode(), durable=False)
    make_home(folder.home)
    birth = Birth(
        group=group,
        folder=folder,
        cluster=order.cluster,
        tag=order.tag,
        id=old.id if old else f"local-{secrets.token_hex(6)}",
        username=username(),
        login_shell=login_shell(),
        host_key=private,
        deadline=old.deadline if old else None if order.ttl is None else now + order.ttl,
    )
    listening = held.enter_context(_listening(old.port if old else 0))
    return Unborn(birth, public, old.launched_at if old else now, listening)


def _host_key(folder: NodeFolder) -> tuple[bytes, str]:
    """Return the node's own key, and its public line; a damaged key is made anew."""
    private = read_file(folder.host_key)
    public = private and public_line(private)
    if not private or not public:
        private, public = new_host_key()
        write_file(folder.host_key, private, durable=False)
    return private, public


def _listening(port: int) -> socket.socket:
    """Return a socket that listens, on this port if it is free."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        if port == 0:
            raise
        return _listening(0)
    return sock


def _bear(litter: Sequence[Unborn], held: ExitStack) -> None:
    """Fork the nodes; each lives only once it is written down, so that it can be found."""
    for newborn in [_fork(unborn, held) for unborn in litter]:
        _write_down(newborn)
        os.write(newborn.give_word, b"!")


def _fork(unborn: Unborn, held: ExitStack) -> Newborn:
    await_word, give_word = os.pipe()
    # A child that is told to stop before it can hear of it must hear of it later.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        os.chdir(unborn.birth.folder.home)  # from its first moment it can be told by that
        pid = os.fork()
        if pid == 0:
            begin(unborn.birth, unborn.listening, await_word)
    finally:
        os.chdir("/")
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(await_word)
        held.callback(os.close, give_word)  # without a word, this ends the child
    return Newborn(unborn, pid, give_word)


def _write_down(newborn: Newborn) -> None:
    birth, process = newborn.unborn.birth, this_process(newborn.pid)
    if process is None:
        raise MachineError(
            f"node '{birth.name}' ended at once",
            cause="something killed its process",
            fix="see whether this machine is short of memory, and run the same command again",
        )
    record = NodeRecord(
        id=birth.id,
        port=newborn.unborn.listening.getsockname()[1],
        host_key=newborn.unborn.host_key,
        launched_at=newborn.unborn.launched_at,
        deadline=birth.deadline,
        process=process,
    )
    birth.folder.write_record(record)
