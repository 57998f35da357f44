"""What the rooms of this driver ask EC2 with."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Answer = Mapping[str, Any]

Ask = Callable[..., Awaitable[Answer]]
"""Makes one call, given its name as botocore has it (`describe_instances`) and its parameters.

It raises a `ProviderError` for what it can't mend by asking again.
"""


async def every(ask: Ask, operation: str, key: str, **parameters: Any) -> list[Any]:
    """Return all that a call lists under `key`, page after page."""
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        answer = await ask(operation, **parameters, **token)
        found += answer.get(key, [])
        if not answer.get("NextToken"):
            return found
        token = {"NextToken": answer["NextToken"]}


def filters(**wanted: str | list[str]) -> list[dict[str, Any]]:
    """Return filters as EC2 takes them: `vpc_id="vpc-1"`, and `tag__NAME` for tags."""
    return [
        {
            "Name": name.replace("tag__", "tag:").replace("_", "-"),
            "Values": [value] if isinstance(value, str) else value,
        }
        for name, value in wanted.items()
    ]
