"""Bring the nodes of a group into the world: done by the forker, in its own process."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...errors import MachineError
from ...ssh.server import new_host_key, public_line
from ...store.folder import make_folder, read_file, write_file
from .folders import GroupFolder, NodeFolder
from .home import make_home
from .life import Birth, live
from .lock import lock_from_below
from .order import Order
from .process import this_process
from .plan import to_run
from .record import NodeRecord
from .sweep import sweep

BACKLOG = 128


def fulfil(order: Order, abandoned: Callable[[], bool]) -> None:
    """Make the group's nodes run, one by one, for as long as somebody waits for them."""
    group = GroupFolder(Path(order.root), order.cluster, order.tag)
    for _ in range(10):  # somebody may remove the folder while we make it
        group.make()
        with lock_from_below(group.lock, abandoned) as held:
            if held:
                # Only now: who destroyed the group before we had the lock believes it gone.
                _make_nodes(order, group, abandoned)
                group.remove_if_empty()
                return
        if abandoned():
            return


def _make_nodes(order: Order, group: GroupFolder, abandoned: Callable[[], bool]) -> None:
    waiting = to_run(group, order.count)
    sweep(folder for folder in waiting if folder.path.exists())
    for folder in waiting:
        if abandoned():
            return
        _make_node(order, group, folder)


def _make_node(order: Order, group: GroupFolder, folder: NodeFolder) -> None:
    now = time.time()
    old = folder.record()
    if old is not None and old.expired(now):
        folder.remove()
        old = None
    host_key = _furnish(folder, order)
    birth = Birth(
        group=group,
        folder=folder,
        cluster=order.cluster,
        tag=order.tag,
        id=old.id if old else f"local-{secrets.token_hex(6)}",
        host_key=host_key,
        deadline=old.deadline if old else None if order.ttl is None else now + order.ttl,
    )
    with _listening(old.port if old else 0) as sock:
        _bear(birth, sock, launched_at=old.launched_at if old else now)


def _furnish(folder: NodeFolder, order: Order) -> bytes:
    """Make what is missing of the node's folder, and return its host key."""
    make_folder(folder.path)
    host_key = read_file(folder.host_key)
    if host_key is None or public_line(host_key) is None:
        host_key = new_host_key()
        write_file(folder.host_key, host_key, durable=False)
    if not folder.authorized_keys.exists():
        lines = "".join(f"{line}\n" for line in order.authorized_keys)
        write_file(folder.authorized_keys, lines.encode(), durable=False)
    make_home(folder.home)
    return host_key


def _listening(port: int) -> socket.socket:
    """Return a socket that listens, on this port if it is free."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen(BACKLOG)
        except OSError:
            if port == 0:
                raise
            sock.close()
            return _listening(0)
    except BaseException:
        sock.close()
        raise
    return sock


def _bear(birth: Birth, sock: socket.socket, *, launched_at: float) -> None:
    """Fork the node; it lives only once it is written down, so that it can be found."""
    await_word, give_word = os.pipe()
    try:
        pid = os.fork()
        if pid == 0:
            _begin(birth, sock, await_word)
        process = this_process(pid)
        if process is None:
            raise MachineError(f"node '{birth.name}' ended at once", cause="it was killed")
        record = NodeRecord(
            id=birth.id,
            port=sock.getsockname()[1],
            host_key=public_line(birth.host_key) or "",
            launched_at=launched_at,
            deadline=birth.deadline,
            process=process,
        )
        birth.folder.write_record(record)
        os.write(give_word, b"!")
    finally:
        os.close(await_word)
        os.close(give_word)


def _begin(birth: Birth, sock: socket.socket, await_word: int) -> None:
    """Wait for the word, then live; without it, there must be no trace of us."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        _close_all_but({0, 1, 2, sock.fileno(), await_word})
        word = os.read(await_word, 1)
        os.close(await_word)
        if word:
            live(birth, sock)
    finally:
        os._exit(1)


def _close_all_but(kept: set[int]) -> None:
    """Close what we have from the forker: its pipes, the lock, other nodes' sockets."""
    for name in os.listdir("/dev/fd"):
        if int(name) not in kept:
            with suppress(OSError):
                os.close(int(name))
