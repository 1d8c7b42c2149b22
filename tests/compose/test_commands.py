"""What a person does by hand, and what goes wrong: each with its exit code, and nothing left behind."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parent.parent.parent
DEMO = str(ROOT / "experiments" / "demo.yaml")
COMMAND = [sys.executable, "-m", "chaoskit.cli.app"]
SHORT = ["--set", "steady=6s", "--set", "strikes.0.for=8s", "--set", "recover=8s"]


@pytest.fixture
def environment(plain_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**plain_environment, "CHAOSKIT_STATE": str(tmp_path / "state")}


def chaoskit(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def region(environment: dict[str, str]) -> Iterator[str]:
    name = "chaoskit-test-by-hand"
    try:
        up = chaoskit("up", "--name", name, environment=environment)
        assert up.returncode == 0, up.stderr
        yield name
    finally:
        chaoskit("down", "--name", name, environment=environment)


def test_region_by_hand_from_up_to_down(region: str, environment: dict[str, str], leftovers: Callable[[str], list[str]]) -> None:
    assert "10 running" in chaoskit("status", environment=environment).stdout
    fault = ("zone-outage", "zone=us-south-2", "shape=refused", "--name", region)
    struck = chaoskit("inject", *fault, "--for", "30s", "--detach", environment=environment)
    assert struck.returncode == 0, struck.stderr
    assert "client->lb.us-south-2" in chaoskit("status", "--name", region, environment=environment).stdout
    assert chaoskit("heal", "--name", region, environment=environment).returncode == 0
    assert "every link is healthy" in chaoskit("status", "--name", region, environment=environment).stdout
    blocking = chaoskit("inject", "process-freeze", "component=store.us-south-3", "--for", "1s", "--name", region, environment=environment)
    assert blocking.returncode == 0, blocking.stderr
    assert "10 running" in chaoskit("status", environment=environment).stdout
    assert chaoskit("inject", "zone-outage", "zone=mars", "--name", region, environment=environment).returncode == 2
    assert chaoskit("down", "--name", region, environment=environment).returncode == 0
    assert leftovers(region) == []


def test_skopeo_pulls_from_every_zone_what_the_workload_pushed(region: str, environment: dict[str, str], tmp_path: Path) -> None:
    """An independent client agrees digest for digest. The images are pushed by curl and by the workload of another process."""
    assert shutil.which("skopeo"), "skopeo is missing: apt-get install skopeo"
    done = subprocess.run(
        [sys.executable, "-m", "tests.compose.pushed", region, environment["CHAOSKIT_STATE"]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pushed = [json.loads(line) for line in done.stdout.splitlines()]
    entries = {image["zone"]: image["entry"] for image in pushed}
    assert len(entries) == 3
    for image in pushed:
        for zone, entry in entries.items():
            source = f"docker://{entry.removeprefix('http://')}/{image['repository']}@{image['digest']}"
            target = tmp_path / f"{image['digest'][7:19]}-{zone}"
            copy = ["skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--preserve-digests", source, f"dir:{target}"]
            copied = subprocess.run(copy, capture_output=True, text=True, timeout=60, check=False)
            assert copied.returncode == 0, copied.stderr
            files = {path.name for path in target.iterdir()}
            assert {child.removeprefix("sha256:") for child in image["children"]} <= files


class Daemon(threading.Thread):
    """A stand-in address for the real Docker daemon: it forwards until it is told to die, as a daemon does."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.ends: list[socket.socket] = []

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect("/var/run/docker.sock")
            self.ends += [client, upstream]
            for source, target in ((client, upstream), (upstream, client)):
                threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    @staticmethod
    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while received := source.recv(65536):
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def die(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with contextlib.suppress(OSError):  # its other side may have closed it
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def started(arguments: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    def heed_ctrl_c() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run started in the background has it ignored, and so would its children

    with log.open("wb") as output:
        return subprocess.Popen(
            [*COMMAND, *arguments], env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, preexec_fn=heed_ctrl_c
        )


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes], *, limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while text not in (seen := log.read_text()):
        assert process.poll() is None, f"ended with {process.returncode} before '{text}': {seen}"
        assert time.monotonic() < deadline, f"no '{text}' within {limit_s} s: {seen}"
        time.sleep(0.05)


def test_daemon_that_dies_in_the_middle_is_exit_4_with_the_way_to_clean_up(
    environment: dict[str, str], tmp_path: Path, leftovers: Callable[[str], list[str]]
) -> None:
    daemon = Daemon(tmp_path / "docker.sock")
    daemon.start()
    log = tmp_path / "log"
    arguments = ["run", DEMO, *SHORT, "--driver", "compose", "--out", str(tmp_path / "runs")]
    run = started([*arguments, "--set", "strikes.0.fault={kind: zone-freeze, zone: us-south-2}"], mocked(environment, tmp_path), log)
    wait_for("in effect", log, run)
    daemon.die()
    assert run.wait(timeout=120) == 4, log.read_text()
    said = log.read_text()
    left = leftovers("chaoskit-demo-")
    name = next(word for word in said.split() if word.startswith("chaoskit-demo-"))
    assert left, "the region cannot have been taken away without a daemon"
    assert f"chaoskit down --name {name}" in said
    assert f"io.chaoskit.region={name}" in said
    assert len((tmp_path / "runs" / "demo" / "latest" / "history.jsonl").read_text().splitlines()) > 10
    assert chaoskit("down", "--name", name, environment=environment).returncode == 0
    assert leftovers("chaoskit-demo-") == []


def mocked(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment with the stand-in's address."""
    return {**environment, "DOCKER_HOST": f"unix://{folder / 'docker.sock'}"}


MOMENTS = ["into", "in effect", *(pytest.param(late, marks=pytest.mark.nightly) for late in ("steady from", "recover from", "final from"))]


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_phase_heals_and_leaves_nothing(
    moment: str, environment: dict[str, str], tmp_path: Path, leftovers: Callable[[str], list[str]]
) -> None:
    log = tmp_path / "log"
    run = started(["run", DEMO, *SHORT, "--driver", "compose", "--out", str(tmp_path / "runs")], environment, log)
    wait_for(moment, log, run)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 130, log.read_text()
    assert leftovers("chaoskit-demo-") == []
    folder = tmp_path / "runs" / "demo" / "latest"
    assert (folder / "history.jsonl").read_text().startswith('{"schema_version"')
    judged = chaoskit("check", str(folder), environment=environment)
    assert judged.returncode in (1, 3), "a prefix of a run is never held"
    assert not list((tmp_path / "state").glob("*/"))


def test_no_compose_plugin_is_exit_4(environment: dict[str, str], tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "docker").symlink_to(shutil.which("docker") or "docker")
    alone = {**environment, "DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}
    if subprocess.run(["docker", "compose", "version"], env=alone, capture_output=True, check=False).returncode == 0:
        pytest.fail("the plugin is installed for all users here; this test cannot hide it")
    done = chaoskit("run", DEMO, "--driver", "compose", "--out", str(tmp_path / "runs"), environment=alone)
    assert (done.returncode, "Compose plugin" in done.stderr) == (4, True)


def test_no_daemon_is_exit_4(environment: dict[str, str], tmp_path: Path) -> None:
    alone = {**environment, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = chaoskit("run", DEMO, "--driver", "compose", "--out", str(tmp_path / "runs"), environment=alone)
    assert (done.returncode, "no Docker daemon answers at unix:///nowhere/docker.sock" in done.stderr) == (4, True)


def test_missing_image_is_exit_4(environment: dict[str, str], tmp_path: Path) -> None:
    other = {**environment, "CHAOSKIT_IMAGE_REGISTRY": "chaoskit.invalid/none:1"}
    done = chaoskit("run", DEMO, "--driver", "compose", "--out", str(tmp_path / "runs"), environment=other)
    assert (done.returncode, "chaoskit.invalid/none:1" in done.stderr, "make images" in done.stderr) == (4, True, True)


def test_run_that_takes_too_long_is_healed_and_exit_4(
    environment: dict[str, str], tmp_path: Path, leftovers: Callable[[str], list[str]]
) -> None:
    done = chaoskit("run", DEMO, "--driver", "compose", "--timeout", "20s", "--out", str(tmp_path / "runs"), environment=environment)
    assert (done.returncode, "--timeout" in done.stderr) == (4, True)
    assert leftovers("chaoskit-demo-") == []
    assert list((tmp_path / "runs" / "demo" / "latest" / "logs").iterdir())
