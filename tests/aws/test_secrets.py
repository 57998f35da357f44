"""Secrets are seen nowhere: not in what is printed, logged, tagged, recorded or called."""

import json
import re
from pathlib import Path

import psutil
import pytest

from .commands import LAUNCH, NAME, tinycloud
from .troubles.refused import Forbidden
from .userdata import secret, user_data
from .wire import Answer, Ask, Request
from .world import CANARY, World

TOKEN = "FwoGZXIvYXdzECANARYSESSIONTOKENEXAMPLE"

pytestmark = pytest.mark.timeout(200)


class Onlooker:
    """Takes down the argument lists of all that runs, at every call."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        for process in psutil.process_iter(["cmdline"]):
            self.seen.add(" ".join(process.info["cmdline"] or ()))
        return await ask(request)


@pytest.fixture
def onlooker(ec2: World, monkeypatch: pytest.MonkeyPatch) -> Onlooker:
    """One who looks on while we call with credentials that are for a session."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    found = Onlooker()
    ec2.troubles.append(found)
    return found


def bodies(key: str) -> list[str]:
    """Return the lines of a private key, but those that every key has alike."""
    lines = [line for line in key.splitlines() if line and not line.startswith("-----")]
    return [line for line in lines[1:] if len(line) > 20]


def test_secrets_are_seen_nowhere(ec2: World, onlooker: Onlooker, state: Path) -> None:
    """Whatever goes well or wrong, with --debug and without."""
    launch = (*LAUNCH, "-n", "1", "--no-wait")
    said = [tinycloud("--debug", *launch)]
    assert said[0].returncode == 0, said[0].stderr
    login = (state / "clusters" / NAME / "key").read_text()
    kept = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    tags = ec2.ask("DescribeTags").body.decode()
    said.append(tinycloud("--debug", "list", NAME))
    said.append(tinycloud("--debug", "execute", NAME, "-e", "true", "--timeout", "2"))
    for action in ("TerminateInstances", "DescribeInstances"):
        ec2.troubles.append(Forbidden(action))
        said += [tinycloud(*words, "destroy", NAME) for words in ((), ("--debug",))]
        assert said[-1].returncode != 0
        assert "Traceback" in said[-1].stderr
    ec2.troubles[:] = [onlooker]
    said.append(tinycloud("destroy", NAME))
    assert said[-1].returncode == 0

    planted = [line for data in user_data(ec2.proxy) for line in bodies(secret(data))]
    assert planted
    secrets = [CANARY, TOKEN, *bodies(login), *planted, *_encoded(ec2)]
    records = [data.decode(errors="replace") for path, data in kept.items() if path.name != "key"]
    places = [text for ended in said for text in (ended.stdout, ended.stderr)]
    for place in (*places, tags, *records, *onlooker.seen):
        found = [one for one in secrets if one in place]
        assert not found, (found, place)


def _encoded(ec2: World) -> list[str]:
    """Return pieces of the user data as they went over the wire."""
    launches = [call.request for call in ec2.proxy.calls if call.action == "RunInstances"]
    return [request.get("UserData")[200:260] for request in launches]


def test_no_error_shows_what_was_sent(ec2: World) -> None:
    """A launch that EC2 refuses says why, and nothing of the user data or the keys."""
    ec2.troubles.append(Forbidden("RunInstances", message="no, with token " + "x" * 40))
    ended = tinycloud("--debug", *LAUNCH, "--no-wait")
    assert ended.returncode == 4, ended.stderr
    assert "UnauthorizedOperation" in ended.stderr
    assert "ec2:RunInstances" in ended.stderr
    assert not re.search("PRIVATE KEY|ssh_keys", ended.stderr)
    assert not [one for one in (CANARY, *_encoded(ec2)) if one in ended.stderr]
    assert ec2.left() == []
    assert json.dumps(ended.stdout) == '""'
