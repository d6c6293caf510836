"""The unit: what it may do, and that it is supervised.

Readiness and watchdog are tested over a notify socket of the test's own, which needs nothing. Under
./dev test --all a real systemd boots in a container on an overlay of the root, see nspawn.py.
"""
import os
import shutil
import signal
import socket
import subprocess

import pytest

import nspawn
from https import Secure
from manager import Manager
from world import PATIENCE, ROOT, until

UNIT = ROOT / "systemd" / "jobgate.service"
MOST_EXPOSURE = 15  # tenths


def analyze(*words):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(["systemd-analyze", "--no-pager", *map(str, words)], timeout=PATIENCE,
                          capture_output=True, text=True, check=False)


def test_the_unit_has_no_mistake(tmp_path):
    unit = tmp_path / "jobgate.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/jobgate", shutil.which("true")))
    told = analyze("verify", "--man=no", unit)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_unit_is_hardened():
    told = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSURE}", UNIT)
    assert told.returncode == 0, told.stdout[-400:]


def test_the_user_is_made_by_the_book(tmp_path):
    if not shutil.which("systemd-sysusers"):
        pytest.skip("systemd-sysusers is not installed")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "group").write_text("dialout:x:20:\n")
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}",
                    str(ROOT / "systemd" / "jobgate.sysusers")], check=True, timeout=PATIENCE,
                   capture_output=True)
    assert "jobgate" in (tmp_path / "etc" / "passwd").read_text()
    assert "dialout:x:20:jobgate" in (tmp_path / "etc" / "group").read_text()


def test_the_installed_site_is_accepted(world):
    checked = world.command("check", "--config", ROOT / "conf" / "start.conf")
    assert checked.returncode == 0, checked.stderr
    assert "no lines yet" in checked.stderr


def test_the_gateway_says_that_it_is_ready_and_well_and_that_it_stops(world):
    config = world.site([], [])
    with Manager(world.folder) as manager:
        gateway = world.gateway(config, wait=False, env={"NOTIFY_SOCKET": str(manager.path),
                                                         "WATCHDOG_USEC": "1000000"})
        assert manager.hears("READY=1")
        assert all(manager.hears("WATCHDOG=1") for _ in range(3))
        gateway.child.terminate()
        assert manager.hears("STOPPING=1")
        assert gateway.child.wait(PATIENCE) == 0


def test_a_stopped_gateway_does_not_say_that_it_is_well(world):
    config = world.site([], [])
    with Manager(world.folder) as manager:
        gateway = world.gateway(config, wait=False, env={"NOTIFY_SOCKET": str(manager.path),
                                                         "WATCHDOG_USEC": "1000000"})
        assert manager.hears("READY=1")
        gateway.child.send_signal(signal.SIGSTOP)
        try:
            until(lambda: state_of(gateway.child.pid) == "T")
            manager.forget()
            assert not manager.hears("WATCHDOG=1", 2)
        finally:
            gateway.child.send_signal(signal.SIGCONT)
        assert manager.hears("WATCHDOG=1")


def test_https_is_answered_at_a_socket_that_was_passed(world):
    with socket.create_server(("127.0.0.1", 0)) as ours:  # nobody else can listen there
        site = Secure(world, port=ours.getsockname()[1], passed=ours)
        assert site.ask("GET", "/jobgate/v1/status")[0] == 200
        assert "passed" not in site.gateway.text()


def test_a_passed_socket_that_the_site_does_not_ask_for_is_left_alone(world):
    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        site = Secure(world, passed=everywhere)
        assert site.ask("GET", "/jobgate/v1/status")[0] == 200
        port = everywhere.getsockname()[1]
        assert f"the service manager passed 0.0.0.0:{port}, which is not what api.https has" in \
            site.gateway.text()


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]


@pytest.fixture(scope="module")
def booted():
    """What the unit did under a real systemd: a dictionary of facts."""
    if not os.environ.get("JOBGATE_ALL"):
        pytest.skip("a real systemd boots only under ./dev test --all")
    reason = nspawn.missing()
    if reason:
        pytest.skip(f"no real systemd: {reason}")
    return nspawn.boot(ROOT / "build")


@pytest.mark.parametrize("fact", nspawn.FACTS)
def test_under_a_real_systemd(booted, fact):
    assert fact in booted.facts, booted.text
    if booted.facts[fact].startswith("skip, "):
        pytest.skip(booted.facts[fact][len("skip, "):])
    assert booted.facts[fact] == "yes", booted.text
