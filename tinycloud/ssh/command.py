"""Run one command over a connection: bytes out, back-pressure, and always an ending."""

import asyncio
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field

import asyncssh

from ..fanout import alongside, to_the_end
from ..result import State
from .channels import Channels
from .connection import Emit, Ending
from .ending import quoted
from .fifo import Fifo
from .leash import WHOLE, leashed
from .script import Script
from .session import Session
from .stop import ENDED_EARLY, Stop
from .sudo import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is to be run, and how; see `Connection.run`."""

    text: str | Script
    variables: Mapping[str, str]
    sudo: bool = False
    input: AsyncIterable[bytes] | None = None
    timeout: float | None = None
    stop: Stop = field(default_factory=Stop)

    @property
    def channels(self) -> int:
        """How many channels it takes: one for the leash alone where it has a use for its input."""
        return 1 if self.input is None else 2


async def run(channels: Channels, command: Command, emit: Emit) -> Ending:
    """Run a command; see `Connection.run`."""
    if not command.sudo:
        return await _run(channels, command, emit)
    words = Words(emit)
    return words.added(await _run(channels, command, words.emit))


async def _run(channels: Channels, command: Command, emit: Emit) -> Ending:
    fifo = None if command.input is None else Fifo()
    session = Session(fifo)
    clock = asyncio.timeout(command.timeout)
    try:
        async with command.stop.heeded() as stopped, clock:
            refused = await _refused(session, fifo, channels, command)
            if refused is not None:
                return refused
            await _pass(session, command, emit)
    except BaseException as error:
        ended = await to_the_end(session.end())
        if isinstance(error, TimeoutError):
            await session.pass_rest(emit)
            if clock.expired():
                why = f"timed out after {command.timeout:g} s"
                return _broken_off(State.TIMEOUT, why, ended=ended)
            if stopped.expired():
                why = f"{ENDED_EARLY}: {command.stop.why}"
                return _broken_off(State.SIGNALLED, why, ended=ended)
        raise
    finally:
        if fifo is not None:
            await to_the_end(fifo.close())
    session.close()
    return session.ending()


def _broken_off(state: State, why: str, *, ended: bool) -> Ending:
    doubt = "" if ended else ", and may still be running: it did not confirm its end"
    return Ending(state=state, error=f"{why}{doubt}", confirmed=ended)


async def _refused(
    session: Session, fifo: Fifo | None, channels: Channels, command: Command
) -> Ending | None:
    """Start the command; return how that ended if it could not be started."""
    try:
        path = None if fifo is None else await fifo.make(channels)
        line = leashed(command.text, command.variables, fifo=path, sudo=command.sudo)
        await session.open(channels, line)
    except (asyncssh.Error, OSError) as error:
        state = State.LOST if channels.is_closed else State.UNREACHABLE
        return Ending(state=state, error=f"not started: {quoted(error)}")
    return None


async def _pass(session: Session, command: Command, emit: Emit) -> None:
    """Hand the command what it is to read, and on what it prints, until it has ended."""
    if isinstance(command.text, Script):
        await session.send(command.text.content + WHOLE)
    if command.input is None:
        await session.pass_output(emit)
    else:
        await alongside(session.pass_output(emit), session.pass_input(command.input))
