"""The end of a node's life: a timer on the node itself, which needs nobody to watch it.

It is armed in cloud-init's `bootcmd`, before anything that could fail: units without
default dependencies, started without waiting, are what works so early. Powering off
terminates the instance, since it was launched so.
"""

import shlex
from collections.abc import Iterable
from datetime import UTC, datetime

from .asking import Ask
from .tags import EXPIRES_AT

UNIT = "tinycloud-ttl"
FOLDER = "/etc/systemd/system"
TAGGED_AT_ONCE = 500
"""Instances in one call: EC2 takes 1,000 resources in one CreateTags."""

GRACE = "15min"
"""Life of a machine that boots when its time is over: enough to be given more."""

# A calendar date that is past never comes. So a machine that was stopped over its end
# looks at the clock once more, some minutes after it has booted.
_TIMER = """\
[Unit]
Description=The end of this machine's time to live
DefaultDependencies=no

[Timer]
OnCalendar={calendar}
OnBootSec={grace}
AccuracySec=1s
"""

# systemd takes %% for %, and $$ for $.
_SERVICE = """\
[Unit]
Description=Power off once this machine's time to live is over
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=/bin/sh -c '[ "$$(date +%%s)" -lt {seconds} ] || exec systemctl --no-block poweroff'
"""

_ARM = f"""
mkdir -p {FOLDER}/timers.target.wants
printf '%s' {{service}} >{FOLDER}/{UNIT}.service
printf '%s' {{timer}} >{FOLDER}/{UNIT}.timer
ln -sf ../{UNIT}.timer {FOLDER}/timers.target.wants/{UNIT}.timer
systemctl daemon-reload
systemctl --no-block restart {UNIT}.timer
"""

_DISARM = f"""
systemctl --no-block stop {UNIT}.timer 2>/dev/null || :
rm -f {FOLDER}/{UNIT}.service {FOLDER}/{UNIT}.timer {FOLDER}/timers.target.wants/{UNIT}.timer
systemctl daemon-reload
"""


def arming(deadline: datetime | None) -> str:
    """Return the shell script that sets a machine's end, in place of any earlier one."""
    if deadline is None:
        return _DISARM
    moment = deadline.astimezone(UTC)
    timer = _TIMER.format(calendar=moment.strftime("%Y-%m-%d %H:%M:%S UTC"), grace=GRACE)
    service = _SERVICE.format(seconds=int(moment.timestamp()))
    return _ARM.format(timer=shlex.quote(timer), service=shlex.quote(service))


async def note(ask: Ask, ids: Iterable[str], deadline: datetime | None) -> None:
    """Have the tags of these instances say when they end."""
    every = sorted(ids)
    for first in range(0, len(every), TAGGED_AT_ONCE):
        await ask(
            "create_tags",
            Resources=every[first : first + TAGGED_AT_ONCE],
            Tags=[{"Key": EXPIRES_AT, "Value": expiry(deadline)}],
        )


def expiry(deadline: datetime | None) -> str:
    """Return a deadline as the tag has it: ISO 8601 in UTC, or `none`."""
    return "none" if deadline is None else deadline.astimezone(UTC).isoformat(timespec="seconds")


def parsed_expiry(text: str | None) -> datetime | None:
    """Return the deadline that a tag names; None if it names none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
