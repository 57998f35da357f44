"""The image of a machine: Debian with systemd, cloud-init and sshd, as a cloud has it."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from .docker import Docker

NAME = "tinycloud-machine"

_PACKAGES = (
    "cloud-init",
    "dbus",
    "iproute2",
    "openssh-server",
    "procps",
    "python3-jsonschema",
    "sudo",
    "systemd-sysv",
)
_LEFT_OUT = ("doc", "info", "locale", "man")

# What would be of the network's or the locale's making is Docker's, and no business of ours.
_SETTINGS = """\
datasource_list: [NoCloud]
network: {config: disabled}
locale: false
apt: {preserve_sources_list: true}
"""

_FINISH = """\
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id "$1"/var/lib/dbus/machine-id
touch "$1"/etc/machine-id
printf '%s' "$SETTINGS" > "$1"/etc/cloud/cloud.cfg.d/90-tinycloud.cfg
for unit in apt-daily apt-daily-upgrade dpkg-db-backup e2scrub_all fstrim; do
    ln -sf /dev/null "$1/etc/systemd/system/$unit.timer"
done
"""


def machine_image(docker: Docker, program: Callable[[str], str]) -> str:
    """Return the name of the image, which the daemon has then."""
    if not docker.run("images", "-q", NAME):
        change = 'CMD ["/sbin/init"]'
        container = "ENV container=docker"  # by which systemd knows where it is
        docker.run("import", "-c", change, "-c", container, str(_packed(program)), NAME)
    return NAME


def _packed(program: Callable[[str], str]) -> Path:
    """Make the image once for all runs of the tests, and return the file."""
    recipe = repr((_PACKAGES, _LEFT_OUT, _SETTINGS, _FINISH))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tinycloud-tests")
    path = cache / f"machine-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    if path.exists():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.tar")
    options = ["--variant=minbase", f"--include={','.join(_PACKAGES)}", "--quiet"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    options += ["--dpkgopt=force-unsafe-io", f"--customize-hook={_FINISH}"]
    try:
        subprocess.run(
            [program("mmdebstrap"), *options, "bookworm", str(fresh)],
            check=True,
            env={**os.environ, "SETTINGS": _SETTINGS},
        )
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path
