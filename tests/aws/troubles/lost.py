"""Replies that are lost, garbled, or never come about."""

from dataclasses import dataclass

from ..wire import Answer, Ask, Cut, Request


@dataclass
class LostReply:
    """Does what the next `times` calls of an action ask, and cuts the connection.

    With `undone` it is cut before anything is done.
    """

    action: str
    times: int = 1
    undone: bool = False

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if not self.times or request.action != self.action:
            return await ask(request)
        self.times -= 1
        if not self.undone:
            await ask(request)
        raise Cut


@dataclass
class Garbage:
    """Answers the next `times` calls of an action with something that is no answer.

    With `done` what was asked is done all the same.
    """

    action: str
    times: int = 1
    body: bytes = b"<html>502 Bad Gateway"
    status: int = 502
    done: bool = False

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if not self.times or request.action != self.action:
            return await ask(request)
        self.times -= 1
        if self.done:
            await ask(request)
        return Answer(body=self.body, status=self.status, content_type="text/html")
