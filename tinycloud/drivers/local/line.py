"""The client's end of its line to a forker."""

import asyncio
import os
import subprocess
import sys

from ...errors import MachineError, ProviderError
from ...fanout import to_the_end
from .descriptor import readable, writable
from .order import Answer, Order
from .process import this_process

FORKER = "tinycloud.drivers.local.forker"
PATIENCE = 5.0
_PASSED_ON = {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"}
_PASSED_ON_KINDS = ("DYLD_", "LC_", "LD_", "PYTHON")


class LineCut(Exception):
    """The line was cut while somebody waited for their turn."""


class Line:
    """A forker of our own, and one order at a time to it."""

    def __init__(self) -> None:
        """Start the forker, and don't wait for it."""
        self._forker = _start()
        assert self._forker.stdin
        assert self._forker.stdout
        self._orders, self._answers = self._forker.stdin, self._forker.stdout
        os.set_blocking(self._orders.fileno(), False)
        self._turn = asyncio.Lock()
        self._said = b""
        self.cut = False

    async def ask(self, order: Order) -> None:
        """Have an order fulfilled; raise `LineCut` if it was not even sent.

        A cancellation ends the forker first: after it, nothing more is forked.
        """
        async with self._turn:
            if self.cut:
                raise LineCut
            try:
                await self._send(order.to_line())
                answer = await self._hear()
            except BaseException:
                await to_the_end(self.close())
                raise
        if answer.error:
            raise answer.error

    async def _send(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._orders.fileno(), line) :]
            except BlockingIOError:
                await writable(self._orders.fileno())
            except BrokenPipeError:
                return  # it has died, and its last words say why

    async def _hear(self) -> Answer:
        """Return the answer; other lines are warnings, or the last words of a dying forker."""
        last_words = b""
        while True:
            while b"\n" in self._said:
                last_words, _, self._said = self._said.partition(b"\n")
                if (answer := Answer.from_line(last_words)) is not None:
                    return answer
            await readable(self._answers.fileno())
            heard = os.read(self._answers.fileno(), 1 << 16)
            if not heard:
                raise _died(self._said or last_words)
            self._said += heard

    async def close(self) -> None:
        """End the forker, and wait until it has ended."""
        if self.cut:
            return
        self.cut = True
        self._orders.close()
        process = this_process(self._forker.pid)
        if process is not None:
            self._forker.terminate()
            if not await process.end(PATIENCE):
                self._forker.kill()
                await process.end(PATIENCE)
        self._forker.poll()
        self._answers.close()


def _start() -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", FORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )
    except OSError as error:
        raise MachineError(
            "can't start a process",
            cause=error.strerror or str(error),
            fix="free some of what is short, and run the same command again",
        ) from error


def _died(last_words: bytes) -> ProviderError:
    return ProviderError(
        "the local driver's forking process died",
        cause=last_words.decode(errors="replace").strip() or "it was killed",
        fix="run the same command again",
    )


def _environment() -> dict[str, str]:
    """Return what a node may know of our environment: no secrets of ours, for one."""
    return {
        key: value
        for key, value in os.environ.items()
        if key in _PASSED_ON or key.startswith(_PASSED_ON_KINDS)
    }
