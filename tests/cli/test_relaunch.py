"""A cluster that is launched again: what was said of its nodes once still goes for new ones."""

from pathlib import Path

from tinycloud.cli.order import Order, ordered
from tinycloud.store.keys import LoginKey, make_login_key

from .running import Cli


def key_of(somebody: Path) -> LoginKey:
    """Make a key in the folder of somebody else."""
    somebody.mkdir(mode=0o700)
    return make_login_key(somebody, "somebody")


def test_nodes_that_are_made_later_are_like_the_first(cli: Cli, tmp_path: Path) -> None:
    """They are set up, too, and let the same people in, whichever verb makes them."""
    setup, public = tmp_path / "setup", tmp_path / "key.pub"
    setup.write_text("echo ready > greeting\n")
    public.write_text(key_of(tmp_path / "somebody").public)
    words = ("-i", str(tmp_path / "somebody" / "key"), "-e", "cat greeting", "-q")
    try:
        first = ("launch", "v", "-n", "0", "--setup", str(setup), "--authorize", str(public))
        assert cli(*first, "--no-wait").code == 0
        assert cli("start", "v").code == 0
        assert cli("launch", "v", "-n", "1").code == 0
        outcome = cli("execute", "v", *words)
        assert (outcome.code, sorted(outcome.out.splitlines())) == (
            0,
            ["master-0: ready", "worker-0: ready"],
        )
    finally:
        cli("destroy", "v")


def test_what_a_launch_says_takes_the_place_of_what_was(cli: Cli, tmp_path: Path) -> None:
    """If it comes up: one that fails leaves all as it was."""
    one, other, bad = (tmp_path / name for name in ("one", "other", "bad"))
    one.write_text("true one\n")
    other.write_text("true other\n")
    bad.write_text("exit 1\n")
    try:
        assert cli("launch", "v", "-n", "0", "--setup", str(one)).code == 0
        assert cli("launch", "v", "-n", "1", "--setup", str(bad)).code == 1
        assert {group.setup for group in ordered(Order(name="v")).groups} == {"true one\n"}
        assert cli("launch", "v", "-n", "1", "--setup", str(other)).code == 0
        assert {group.setup for group in ordered(Order(name="v")).groups} == {"true other\n"}
    finally:
        cli("destroy", "v")
