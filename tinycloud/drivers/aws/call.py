"""One call to AWS: held back, made, and made again as long as that may help."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection
from typing import Any

from ...errors import InvalidInput, ProviderError, TinycloudError
from ...fanout import to_the_end
from .asking import Answer
from .limiter import Limiter
from .refusal import Kind, Refusal

PATIENCE = 120.0
"""Seconds for which a call is made again that EC2 is too busy for, or that got no answer."""

SETTLING = 60.0
"""Seconds that something new may take to be known everywhere at EC2."""

NEW_GROUP = ("InvalidGroup.NotFound",)
NEW_ROLE = ("InvalidParameterValue",)
MOVING = ("InvalidInstanceID.NotFound", "IncorrectInstanceState")
"""Codes that pass, about a group, a role, and instances, that are new or on their way."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 8.0
_log = logging.getLogger(__name__)


class Caller:
    """Makes the calls of one client; an instance is an `Ask`."""

    def __init__(self, client: Any, service: str, limiter: Limiter) -> None:
        self._client = client
        self._service = service
        self._limiter = limiter

    async def __call__(
        self,
        operation: str,
        *,
        settling: Collection[str] = (),
        patience: float = PATIENCE,
        keep: Callable[[Answer], object] | None = None,
        **words: Any,
    ) -> Answer:
        """Make one call, given its name as botocore has it, and return what is answered.

        `settling` are the codes by which EC2 may say that it does not know everywhere yet
        what was made just now: those are waited out, too. With `keep` no cancellation
        comes between EC2 and us while it makes something: `keep` is given the answer, which
        says what there is. Raises `Refusal`, or `ProviderError` where AWS can't be reached.
        """
        begun, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                return await self._once(operation, words, keep)
            except TinycloudError as error:
                end = begun + _patience(error, settling, patience)
                wait = random.uniform(pause / 2, pause)  # noqa: S311  # it keeps no secret
                if time.monotonic() + wait > end:
                    raise
                _log.debug("%s again in %.1f s: %s", operation, wait, error)
            await asyncio.sleep(wait)
            pause = min(2 * pause, 2.0 if settling else LONGEST_PAUSE)

    async def _once(
        self, operation: str, words: dict[str, Any], keep: Callable[[Answer], object] | None
    ) -> Answer:
        await self._limiter.wait(operation)
        begun = time.monotonic()
        outcome = "cut off"
        try:
            answered = self._answered(operation, words, keep)
            answer = await (answered if keep is None else to_the_end(answered))
            outcome = "ok"
        except Exception as error:
            raised = self._in_our_words(operation, error)
            outcome = raised.what
            raise raised from error
        finally:
            _log.debug("%s: %s after %.3f s", operation, outcome, time.monotonic() - begun)
        return answer

    async def _answered(
        self, operation: str, words: dict[str, Any], keep: Callable[[Answer], object] | None
    ) -> Answer:
        answer: Answer = await getattr(self._client, operation)(**words)
        if keep is not None:
            keep(answer)
        return answer

    def _in_our_words(self, operation: str, error: Exception) -> TinycloudError:
        from botocore import exceptions as foreign
        from botocore.parsers import ResponseParserError

        action = "".join(part.capitalize() for part in operation.split("_"))
        if self._service != "ec2":
            action = f"{self._service}:{action}"
        if isinstance(error, foreign.ClientError):
            told = error.response.get("Error", {})
            return Refusal(action, str(told.get("Code", "")), str(told.get("Message", "")))
        if isinstance(error, foreign.ParamValidationError):
            return InvalidInput(f"{action} can't be asked so", cause=_first_line(error))
        if isinstance(error, _of_credentials(foreign)):
            return no_credentials(_first_line(error))
        if isinstance(error, ResponseParserError):
            return NoAnswer(action, "what came back is no answer")
        if isinstance(error, foreign.HTTPClientError | OSError | foreign.BotoCoreError):
            return NoAnswer(action, _first_line(error) or type(error).__name__)
        return ProviderError(f"{action} failed", cause=f"{type(error).__name__}: {error}")


class NoAnswer(ProviderError):
    """AWS gave no answer, or none that can be read; whether it did what was asked is not known."""

    def __init__(self, action: str, cause: str) -> None:
        super().__init__(
            f"no answer from EC2 to {action}", cause=cause, fix="look at the network, then again"
        )


def _of_credentials(foreign: Any) -> tuple[type[Exception], ...]:
    return (
        foreign.NoCredentialsError,
        foreign.PartialCredentialsError,
        foreign.CredentialRetrievalError,
        foreign.SSOError,
        foreign.TokenRetrievalError,
        foreign.ProfileNotFound,
        foreign.ConfigNotFound,
        foreign.ConfigParseError,
    )


def no_credentials(cause: str) -> InvalidInput:
    """Return the error for missing credentials, with the three ways to give them."""
    return InvalidInput(
        "there are no credentials for AWS",
        cause=cause,
        fix="run 'aws configure', or 'aws sso login' and set AWS_PROFILE, or set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


def _first_line(error: Exception) -> str:
    return "".join(str(error).splitlines()[:1])[:300]


def _patience(error: TinycloudError, settling: Collection[str], patience: float) -> float:
    """Return for how many seconds it makes sense to ask again."""
    if isinstance(error, NoAnswer):
        return patience
    if isinstance(error, Refusal) and error.kind is Kind.RETRY:
        return patience
    if not isinstance(error, Refusal):
        return 0.0
    if error.kind is Kind.PROPAGATION and error.code in settling:
        return min(patience, SETTLING)
    return 0.0
