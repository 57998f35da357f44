"""Whose account it is: a cluster is looked for in the one that it was launched in, and no other."""

import logging

from ...errors import ProviderError
from .client import Account

PATIENCE = 1.0
"""Seconds for which AWS is asked again: a launch does without the answer."""

_log = logging.getLogger(__name__)


async def number(account: Account) -> str | None:
    """Return the number of the account that the credentials are of; None if nobody tells."""

    async def ask() -> str | None:
        try:
            sts = await account.service("sts")
            return str((await sts("get_caller_identity", patience=PATIENCE))["Account"])
        except ProviderError as error:  # there may be no way to that service
            _log.debug("it is not known whose account this is: %s", error)
            return None

    return await account.once("number", ask)


async def check(account: Account, cluster: str, expected: str) -> None:
    """Raise `ProviderError` unless the credentials are of the account with this number."""
    found = await number(account)
    if found == expected:
        return
    whose = "these credentials are of account " + found if found else "whose these are is not told"
    raise ProviderError(
        f"cluster '{cluster}' is in account {expected} of AWS",
        cause=f"{whose}, where there is nothing of it",
        fix=f"use credentials of {expected}, for instance by AWS_PROFILE, and do it again",
    )
