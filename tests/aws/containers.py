"""A machine behind each instance: a container that cloud-init boots from its user data."""

import asyncio
import base64
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from .docker import NETWORK, Docker
from .images import IMAGES
from .rules.states import CODES
from .wire import Answer, Ask, Request, instances, say, text

USERS = {image.id: image.user for image in IMAGES}

# What systemd needs to be the first process of a container.
_AS_A_MACHINE = (
    "--cap-add=SYS_ADMIN",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--cgroupns=private",
    "--stop-signal=SIGRTMIN+3",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tty",
)


@dataclass(slots=True, kw_only=True)
class Machine:
    """The container of one instance.

    `word` is its state while that changes, `halting` whether it was us who had it halt.
    `launch` is what it was asked for with, and `ask` asks those who are behind us.
    """

    id: str
    address: str
    launch: Request
    ask: Ask
    word: str = "pending"
    halting: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


Act = Callable[[Machine], Coroutine[Any, Any, None]]


class Containers:
    """The rule that makes instances real. `image` is what they all are, whatever they ask for."""

    def __init__(self, docker: Docker, image: str, subnet: str) -> None:
        self.docker, self.image = docker, image
        self.machines: dict[str, Machine] = {}
        self._addresses = (f"{subnet}.{number}" for number in count(10))
        self._seeds = Path(tempfile.mkdtemp(prefix="tinycloud-seeds-"))
        self._tasks: set[asyncio.Task[None]] = set()
        self._few = asyncio.Semaphore(4)

    async def __call__(self, request: Request, ask: Ask) -> Answer:
        if request.action == "GetConsoleOutput":
            return await self._console(request)
        answer = await ask(request)
        if answer.code or request.get("DryRun") == "true":
            return answer
        named = [self.machines[i] for i in request.list("InstanceId") if i in self.machines]
        match request.action:
            case "RunInstances":
                answer = self._born(request, answer, ask)
            case "StopInstances":
                self._begin("stopping", named, self._stop)
            case "StartInstances":
                self._begin("pending", named, self._start)
            case "TerminateInstances":
                self._begin("shutting-down", named, self._remove)
        shows = request.action in ("DescribeInstances", "RunInstances")
        return self._shown(answer) if shows else answer

    def _born(self, request: Request, answer: Answer, ask: Ask) -> Answer:
        user_data = base64.b64decode(request.get("UserData"))
        for one in instances(answer.tree):
            machine = Machine(
                id=text(one, "instanceId"),
                address=next(self._addresses),
                launch=request,
                ask=ask,
            )
            self.machines[machine.id] = machine
            self._seed(machine, user_data, USERS[text(one, "imageId")])
            self._task(self._boot(machine))
        return answer

    def _seed(self, machine: Machine, user_data: bytes, user: str) -> None:
        folder = self._seeds / machine.id
        folder.mkdir()
        (folder / "user-data").write_bytes(user_data)
        (folder / "meta-data").write_text(
            f"instance-id: {machine.id}\nlocal-hostname: {_host(machine)}\n"
        )
        (folder / "user.cfg").write_text(f"system_info: {{default_user: {{name: {user}}}}}\n")

    def _begin(self, word: str, machines: Iterable[Machine], act: Act) -> None:
        for machine in machines:
            if machine.word != word:
                self._task(self._turn(machine, word, act))

    async def _turn(self, machine: Machine, word: str, act: Act) -> None:
        machine.word, machine.halting = word, word != "pending"
        async with machine.turn, self._few:
            await act(machine)
            if machine.word == word:
                machine.word = ""

    async def _boot(self, machine: Machine) -> None:
        seed, seeded = self._seeds / machine.id, "/var/lib/cloud/seed/nocloud"
        mounts = (
            f"--volume={seed}:{seeded}:ro",
            f"--volume={seed}/user.cfg:/etc/cloud/cloud.cfg.d/95-user.cfg:ro",
        )
        place = (f"--network={NETWORK}", f"--ip={machine.address}")
        names = (f"--name={machine.id}", f"--hostname={_host(machine)}")
        async with machine.turn, self._few:
            await self.docker.call(
                "run", "--detach", *names, *place, *mounts, *_AS_A_MACHINE, self.image
            )
            if machine.word == "pending":
                machine.word = ""
        self._task(self._watch(machine))

    async def _watch(self, machine: Machine) -> None:
        """Have EC2 notice that a machine has shut itself down."""
        await self.docker.call("wait", machine.id)
        if machine.halting:
            return
        wanted = machine.launch.asking(
            "DescribeInstanceAttribute",
            InstanceId=machine.id,
            Attribute="instanceInitiatedShutdownBehavior",
        )
        ends = b"terminate" in (await machine.ask(wanted)).body
        action, act = ("TerminateInstances", self._remove) if ends else ("StopInstances", _nothing)
        await machine.ask(machine.launch.asking(action, **{"InstanceId.1": machine.id}))
        self._begin("shutting-down" if ends else "stopping", [machine], act)

    async def _stop(self, machine: Machine) -> None:
        await self.docker.call("stop", "--time=10", machine.id)

    async def _start(self, machine: Machine) -> None:
        machine.address = next(self._addresses)
        await self.docker.call("network", "disconnect", NETWORK, machine.id)
        place = (f"--ip={machine.address}", NETWORK)
        await self.docker.call("network", "connect", *place, machine.id)
        await self.docker.call("start", machine.id)
        self._task(self._watch(machine))

    async def _remove(self, machine: Machine) -> None:
        await self.docker.call("rm", "--force", "--volumes", machine.id)
        self.machines.pop(machine.id)

    async def _console(self, request: Request) -> Answer:
        id_ = request.get("InstanceId")
        said = await self.docker.call("logs", id_) if id_ in self.machines else b""
        root = Element("GetConsoleOutputResponse")
        say(root, "instanceId", id_)
        say(root, "timestamp", "2026-01-01T00:00:00.000Z")
        say(root, "output", base64.b64encode(said[-65536:]).decode())
        return Answer.of(root)

    def _shown(self, answer: Answer) -> Answer:
        tree = answer.tree
        for one in instances(tree):
            if machine := self.machines.get(text(one, "instanceId")):
                self._show(machine, one)
        return Answer.of(tree)

    def _show(self, machine: Machine, one: Element) -> None:
        state = one.find("instanceState")
        assert state is not None
        if machine.word:
            say(state, "name", machine.word)
            say(state, "code", CODES[machine.word])
        off = text(state, "name") in ("stopping", "stopped")
        say(one, "ipAddress", None if off else machine.address)
        say(one, "privateIpAddress", machine.address)

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Remove all machines."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if left := (await self.docker.call("ps", "-aq")).decode().split():
            await self.docker.call("rm", "--force", "--volumes", *left)
        shutil.rmtree(self._seeds)


async def _nothing(machine: Machine) -> None:
    """Leave a machine that has halted as it is."""


def _host(machine: Machine) -> str:
    return f"ip-{machine.address.replace('.', '-')}"
