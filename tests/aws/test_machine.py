"""Anything that people and accidents do to a cluster, in any order: EC2 holds what it should."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from .commands import LAUNCH, NAME, killed, tinycloud
from .decoys import Decoys, decoys
from .world import World, aws_settings, world

Enter = Callable[[ExitStack], World]
WORKERS = st.integers(0, 2)
CALL = st.integers(1, 16)


class Life(RuleBasedStateMachine):
    """One cluster in one account, and others' things beside it."""

    def __init__(self, enter: Enter) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.ec2 = enter(self.stack)
        self.others: list[Decoys] = []
        self.largest = 0

    def words(self, workers: int) -> tuple[str, ...]:
        """Return the words that launch the cluster."""
        self.largest = max(self.largest, workers + 1)
        return (*LAUNCH, "-n", str(workers), "--no-wait")

    @rule(workers=WORKERS)
    def launch(self, workers: int) -> None:
        """Launch: afterwards there is what was asked for at least, each node once."""
        ended = tinycloud(*self.words(workers), "--json")
        assert ended.returncode == 0, ended.stderr
        names = {node["name"] for node in json.loads(ended.stdout)}
        assert {"master-0", *(f"worker-{n}" for n in range(workers))} <= names

    @rule(workers=WORKERS, at=CALL, after=st.booleans())
    def launch_killed(self, workers: int, at: int, after: bool) -> None:
        """Launch, and be killed by the way."""
        killed(self.ec2, at, *self.words(workers), after=after)

    @rule(workers=WORKERS)
    def launch_twice(self, workers: int) -> None:
        """Launch from two processes at once: one does it, the other may be refused."""
        command = [sys.executable, "-m", "tinycloud", *self.words(workers)]
        both = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for _ in range(2)
        ]
        said = [process.communicate(timeout=100)[0] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes in ([0, 0], [0, 3]), said

    @rule()
    def execute(self) -> None:
        """Run a command: nobody answers, and every node is in the one state that says so."""
        ended = tinycloud("execute", NAME, "-e", "true", "--timeout", "5", "--json")
        results = [json.loads(line) for line in ended.stdout.splitlines()]
        names = [result["node"] for result in results]
        assert len(set(names)) == len(names)
        assert {r["state"] for r in results} <= {"unreachable", "untrusted", "gone", "skipped"}
        assert ended.returncode in (3, 5, 6), ended.stderr

    @rule()
    def destroy(self) -> None:
        """Destroy: nothing of ours is left."""
        assert tinycloud("destroy", NAME).returncode in (0, 3)
        self.largest = 0
        assert set(self.ec2.left()) == {id_ for other in self.others for id_ in other.before}

    @rule(at=CALL, after=st.booleans())
    def destroy_killed(self, at: int, after: bool) -> None:
        """Destroy, and be killed by the way."""
        if tinycloud("list", NAME).returncode == 0:
            killed(self.ec2, at, "destroy", NAME, after=after)

    @precondition(lambda self: len(self.others) < 2)
    @rule()
    def put_decoys(self) -> None:
        """Somebody else makes things that look like ours."""
        name = NAME if self.others else NAME.upper()
        self.others.append(decoys(self.ec2, name))

    @invariant()
    def nothing_foreign_is_touched(self) -> None:
        """What is not ours is as it was."""
        for other in self.others:
            other.check_untouched()

    @invariant()
    def every_node_is_there_once(self) -> None:
        """No two machines that live are the same node, and there are no more than asked for."""
        nodes = self.ec2.nodes()
        assert len(nodes) == len(set(nodes)) <= self.largest

    def teardown(self) -> None:
        """Destroy, whatever there is."""
        try:
            self.destroy()
        finally:
            self.stack.close()


@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(3, 6, marks=pytest.mark.timeout(300)),
        pytest.param(40, 15, marks=(pytest.mark.exhaustive, pytest.mark.timeout(7200))),
    ],
)
def test_any_life_of_a_cluster(
    examples: int, steps: int, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Launches, commands, deaths and others' things in any order lose and double nothing."""

    def enter(stack: ExitStack) -> World:
        made = stack.enter_context(world(server))
        made.states.seconds = dict.fromkeys(made.states.seconds, 0.05)
        aws_settings(made.proxy.url, monkeypatch, tmp_path)
        monkeypatch.setenv("TINYCLOUD_STATE_DIR", str(tmp_path / made.proxy.account))
        return made

    run_state_machine_as_test(
        lambda: Life(enter),  # type: ignore[arg-type]  # a function will do as well
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
