"""Run one command over a connection: bytes out, back-pressure, and always an ending."""

import asyncio

import asyncssh

from ..fanout import to_the_end
from ..result import State
from .channels import Channels
from .connection import Emit, Ending
from .ending import quoted
from .session import Session


async def run(channels: Channels, line: str, *, emit: Emit, timeout: float | None) -> Ending:
    """Run `line`, which must end when its standard input does; see `Connection.run`."""
    session = Session()
    clock = asyncio.timeout(timeout)
    try:
        async with clock:
            refused = await _refused(session, channels, line)
            if refused is not None:
                return refused
            await session.pass_output(emit)
    except BaseException as error:
        ended = await to_the_end(session.end())
        if isinstance(error, TimeoutError) and clock.expired():
            doubt = "" if ended else ", and may still be running: it did not confirm its end"
            return Ending(state=State.TIMEOUT, error=f"timed out after {timeout:g} s{doubt}")
        raise
    session.close()
    return session.ending()


async def _refused(session: Session, channels: Channels, line: str) -> Ending | None:
    """Start the command; return how that ended if it could not be started."""
    try:
        await session.open(channels, line)
    except (asyncssh.Error, OSError) as error:
        state = State.LOST if channels.is_closed else State.UNREACHABLE
        return Ending(state=state, error=f"not started: {quoted(error)}")
    return None
