"""The programs that run a command on many machines, and how each is told to."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from answers import COMMAND
from rack import Rack

AT_ONCE = "64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command line, and what its environment has beside ours.

    `sockets` is the folder in which it leaves connections for the next run of it.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    sockets: Path | None = None


def tinycloud(rack: Rack, folder: Path) -> Program:
    """Ours, start-up included."""
    command = (sys.executable, "-m", "tinycloud", "execute", rack.cluster, "-e", COMMAND)
    return Program(command=command, environment={})


def clush(rack: Rack, folder: Path) -> Program:
    """ClusterShell, which starts an ssh for each machine."""
    hosts = ",".join(rack.addresses)
    command = ("clush", "-n", "-f", AT_ONCE, "-o", f"-F {rack.config}", "-w", hosts, COMMAND)
    return Program(command=command, environment={})


def pdsh(rack: Rack, folder: Path) -> Program:
    """The classic, with an ssh for each machine, too."""
    hosts = ",".join(rack.addresses)
    command = ("pdsh", "-R", "ssh", "-l", rack.user, "-f", AT_ONCE, "-w", hosts, COMMAND)
    return Program(command=command, environment={"PDSH_SSH_ARGS": f"-F {rack.config} -l %u %h"})


def ansible(rack: Rack, folder: Path) -> Program:
    """Ansible ad hoc, whose ssh stays in the background for the next run."""
    inventory, settings, sockets = (folder / name for name in ("hosts", "ansible.cfg", "ssh"))
    inventory.write_text("\n".join(rack.addresses))
    settings.touch()
    sockets.mkdir(exist_ok=True)
    command = ("ansible", "all", "-i", str(inventory), "-f", AT_ONCE, "-m", "raw", "-a", COMMAND)
    environment = {
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible"),
        "ANSIBLE_SSH_COMMON_ARGS": f"-F {rack.config}",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
        "LC_ALL": "C.UTF-8",
    }
    return Program(command=command, environment=environment, sockets=sockets)


PROGRAMS: dict[str, Callable[[Rack, Path], Program]] = {
    "tinycloud execute": tinycloud,
    "clush": clush,
    "pdsh": pdsh,
    "ansible -m raw": ansible,
}


def hang_up(program: Program) -> None:
    """End the connections that it has left open; some have ended by themselves."""
    for socket in tuple(program.sockets.iterdir()) if program.sockets else ():
        subprocess.run(
            ["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "any"],
            check=False,
            capture_output=True,
        )


def is_installed(program: Program) -> bool:
    """Return whether there is such a program."""
    return shutil.which(program.command[0]) is not None
