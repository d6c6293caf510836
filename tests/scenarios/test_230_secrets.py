"""Secrets are in their files, in memory and in what they sign, and nowhere else.

Every key of a site is planted; whatever the gateway and its commands say is searched for them.
"""
import base64
import json
import os
import pathlib
import signal
import stat
import tarfile

import pytest

from https import Secure, token
from world import Broker, broker_group, until

PASSWORD = "open-sesame-7712"
BROKER_USER = ("building-43", PASSWORD)


def forms(secret):
    """A secret as it could show: itself, what it encodes, and a form that a log might use."""
    told = {secret.encode()}
    try:
        raw = base64.b64decode(secret, validate=True)
        told |= {raw, raw.hex().encode(), raw.hex().upper().encode()}
    except ValueError:
        pass
    return {form for form in told if len(form) >= 8}


class Planted(Secure):
    """HTTPS, a broker with a password and an identity in a hub that nobody answers for."""

    def __init__(self, world):
        self.hub_key = base64.b64encode(os.urandom(48)).decode()
        hub_file = world.folder / "iothub.key"
        hub_file.write_text(self.hub_key + "\n")
        hub_file.chmod(0o600)
        self.broker = Broker(world.folder, password=BROKER_USER)
        world._own(self.broker)
        group = broker_group(self.broker, world.folder)
        hub = f'iothub = {{ host = "127.0.0.1"; auth = "group-key"; key_file = "{hub_file}"; }};'
        super().__init__(world, links=group + "\n" + hub)
        body = (self.key).read_text().split("-----")[2].replace("\n", "")
        self.secrets = [PASSWORD, self.hub_key, self.metrics_token, *self.owner.keys,
                        *self.reader.keys, body[40:90]]


@pytest.fixture(scope="module")
def planted(module_world):
    return Planted(module_world)


def assert_clean(planted, text, where):
    text = text if isinstance(text, bytes) else str(text).encode()
    for secret in planted.secrets:
        for form in forms(secret):
            assert form not in text, f"{where} has {secret!r}"


def test_no_answer_of_the_api_has_a_secret(planted):
    for path in ("/", "/metrics", "/devices", "/devices/room-1", "/twins/room-1", "/healthz",
                 "/jobgate/v1/status", "/jobs/v2/query", "/jobgate/v1/devices/room-1", "/nowhere"):
        assert_clean(planted, planted.api.get(path), path)
        assert_clean(planted, planted.ask("GET", path), f"{path} over HTTPS")
        assert_clean(planted, planted.ask("GET", path, authorization="Bearer x"), f"{path} refused")


def test_no_command_prints_a_secret(planted):
    socket = ("--socket", planted.gateway.socket)
    for words in (("check", "--config", planted.config), ("check", "--json", "--config", planted.config),
                  ("devices", *socket), ("devices", "--json", *socket),
                  ("read", "room-1", *socket), ("write", "room-1", "setpoint=21", *socket),
                  ("job", "list", *socket), ("plan", "room-1", "reboot", "--config", planted.config)):
        told = planted.world.command(*words)
        assert_clean(planted, told.stdout + told.stderr, " ".join(map(str, words)))


def test_no_message_at_the_broker_has_a_secret(planted):
    backend = planted.world.backend(planted.broker, password=BROKER_USER)
    backend.online()
    backend.call("room-1", "setComfort", {"setpoint": 20})
    for message in backend.heard:
        assert_clean(planted, message.topic + message.payload, message.topic)


def test_the_log_the_state_and_the_process_have_no_secret(planted):
    planted.ask("GET", "/devices", authorization=token(planted.owner) + "x")  # refused, and counted
    planted.ask("POST", "/jobgate/v1/signin", {"policy": planted.owner.name, "key": "wrong"})
    planted.gateway.child.send_signal(signal.SIGHUP)
    until(lambda: "reload: " in planted.gateway.text())
    assert_clean(planted, planted.gateway.text(), "the log")
    for path in sorted((planted.config.parent / "state").rglob("*")):
        if path.is_file():
            assert_clean(planted, path.read_bytes(), path)
    for name in ("cmdline", "environ"):
        assert_clean(planted, pathlib.Path(f"/proc/{planted.gateway.child.pid}/{name}").read_bytes(), name)


def test_what_is_kept_is_not_for_everybody(planted):
    state = planted.config.parent / "state"
    assert stat.S_IMODE(state.stat().st_mode) & 0o007 == 0
    for path in state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0, path


def test_a_key_in_the_site_is_refused_and_not_said_again(planted):
    site = planted.config.read_text()
    for old, new in ((f'password_file = "{planted.folder}/broker.password"',
                      f'password_file = "{planted.hub_key}"'),
                     (planted.broker.url, f"mqtt://me:{PASSWORD}@localhost"),
                     ('host = "127.0.0.1"', f'host = "HostName=h;SharedAccessKey={planted.hub_key}"')):
        bad = planted.config.parent / "leaky.conf"
        assert old in site
        bad.write_text(site.replace(old, new))
        told = planted.world.command("check", "--config", bad)
        assert told.returncode == 2, old
        assert_clean(planted, told.stdout + told.stderr, f"check with {old}")


def test_a_crash_leaves_no_core_file(world):
    config = world.site([], [])
    gateway = world.gateway(config)
    gateway.child.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(gateway.child.pid, 0)
    gateway.child.returncode = -1
    assert not os.WCOREDUMP(status)


def members(path):
    with tarfile.open(path) as packed:
        return {member.name.split("/", 1)[1]: packed.extractfile(member).read().decode()
                for member in packed}


def bundle(planted, config, *more):
    path = planted.folder / "bundle.tar"
    path.unlink(missing_ok=True)
    made = planted.world.command("bundle", "--config", config, "--output", path, *more)
    assert (made.returncode, made.stdout) == (0, f"{path}\n"), made.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert_clean(planted, path.read_bytes(), "the bundle")
    return members(path)


def test_a_bundle_has_what_one_needs_and_no_secret(planted):
    assert planted.api.write("room-1", setpoint=21)[0] == 200
    packed = bundle(planted, planted.config)
    assert "jobgate 0" in packed["about.txt"] and packed["check.txt"]
    assert 'lines = (' in packed["site/0-jobgate.conf"]
    assert any("Room controller of the scenarios" in text for text in packed.values())
    assert json.loads(packed["status.json"])["lines"][0]["name"] == "floor3"
    assert "jobgate_" in packed["metrics.txt"] and "room-3" in packed["devices.json"]
    frames = json.loads(packed["frames.json"])["room-1"]
    assert frames[-1]["result"] == "done" and frames[-1]["request"].startswith("01 ")
    assert {"journal.txt", "unit.txt", "jobs.json"} <= packed.keys()


def test_a_bundle_of_a_site_with_keys_in_it_has_none_of_them(planted):
    site = planted.config.read_text()
    leaky = planted.config.parent / "leaky.conf"
    leaky.write_text(site.replace(planted.broker.url, f"mqtt://me:{PASSWORD}@localhost")
                     .replace('host = "127.0.0.1"', f'host = "h;SharedAccessKey={planted.hub_key}"')
                     + f'# key = "{planted.owner.keys[0]}"\nkey = "{planted.reader.keys[1]}";\n')
    packed = bundle(planted, leaky, "--socket", planted.folder / "nobody")
    assert "[removed]" in packed["site/jobgate.conf"] and 'lines = (' in packed["site/jobgate.conf"]
    assert "cannot be asked" in packed["status.json"]


def test_a_bundle_names_its_file_as_json(planted, tmp_path):
    path = tmp_path / "named.tar"
    told = planted.world.command("bundle", "--socket", planted.gateway.socket, "--output", path, "--json")
    assert told.returncode == 0 and json.loads(told.stdout) == {"file": str(path)}, told


def test_a_bundle_goes_over_no_other_file(planted):
    path = planted.folder / "taken.tar"
    path.write_text("mine")
    refused = planted.world.command("bundle", "--config", planted.config, "--output", path)
    assert refused.returncode == 2 and "File exists" in refused.stderr
    assert path.read_text() == "mine"
