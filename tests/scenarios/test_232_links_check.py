"""`jobgate check` and `jobgate run` refuse what the links could not open, by file and line."""
import base64
import json
import os

import pytest

from https import Policy
from world import free_port

KEY = base64.b64encode(bytes(range(32))).decode() + "\n"


def secret(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


class Linked:
    """A site with an HTTPS group; `links` stand in its third line."""

    def __init__(self, world, https="", links=""):
        self.world, folder = world, world.folder
        for name in ("tls", "other"):
            made = world.command("cert", "--host", "localhost", folder / f"{name}.crt",
                                 folder / f"{name}.key")
            assert made.returncode == 0, made
        self.policy = Policy(folder, "operator", ["read"])
        self.keys = secret(folder / "hub.keys", "")
        (folder / "profiles.d").mkdir(exist_ok=True)
        (folder / "profiles.d" / "room.conf").write_text(
            'profile = { name = "room"; points = { a = { coil = 0; }; }; };\n')
        group = (f'listen = "127.0.0.1:{free_port()}"; host = "localhost"; '
                 f'cert_file = "tls.crt"; key_file = "tls.key"; '
                 f"policies = ( {self.policy.text()} );")
        for old, new in (https or ()):
            assert old in group
            group = group.replace(old, new)
        self.config = folder / "jobgate.conf"
        self.config.write_text(
            f'gateway = {{ id = "g"; state = "{folder}/state"; }};\n'
            f'api = {{ socket = "{folder}/api.sock"; https = {{ {group} }}; }};\n'
            f"{links}\n"
            'lines = ( { name = "a"; adapter = "modbus-tcp"; host = "127.0.0.1"; } );\n'
            'devices = ( { id = "r#"; line = "a"; units = "1-3"; profile = "room"; } );\n')

    def refused(self, line, *words):
        """Both commands say it, with the line, and end with 2."""
        for command in ("check", "run"):
            told = self.world.command(command, "--config", self.config)
            assert told.returncode == 2, told
            said = told.stderr.strip().splitlines()
            assert len(said) == 1, told
            assert said[0].startswith(f"{self.config}:{line}: "), told
            for word in words:
                assert word in said[0], told


def test_a_site_whose_files_fit_is_good(world):
    site = Linked(world)
    told = world.command("check", "--config", site.config)
    assert told.returncode == 0 and not told.stderr, told


def test_a_policy_without_a_key_in_its_file_is_a_problem(world):
    site = Linked(world)
    secret(site.policy.file, "not base64!\n")
    site.refused(2, "policy operator", "does not hold a key; write one line of base64")
    told = world.command("check", "--config", site.config, "--json")
    assert told.returncode == 2
    assert json.loads(told.stdout)["problems"][0]["line"] == 2


def test_a_certificate_with_anothers_key_is_a_problem(world):
    Linked(world, https=[("tls.key", "other.key")]).refused(
        2, "other.key", "the key of cert_file")


def test_a_certificate_that_is_none_is_a_problem(world):
    site = Linked(world)
    (world.folder / "tls.crt").write_text("hello\n")
    site.refused(2, "tls.crt", "-----BEGIN CERTIFICATE-----")


def test_an_address_that_is_a_name_cannot_be_listened_at(world):
    Linked(world, https=[('listen = "127.0.0.1', 'listen = "localhost')]).refused(
        2, "listen", "an address in numbers")


@pytest.mark.parametrize("auth, text, words", [
    ("group-key", "hello world\n", ("does not hold a key",)),
    ("device-keys", "r1 " + KEY, ("no key for 2 devices", "r2")),
    ("device-keys", "r1 " + KEY + "r2\n", ("hub.keys:2", "<id> <base64 key>")),
])
def test_keys_of_the_hub_that_are_none_are_a_problem(world, auth, text, words):
    site = Linked(world, links=f'iothub = {{ host = "h.example"; auth = "{auth}"; '
                               'key_file = "hub.keys"; };')
    secret(site.keys, text)
    site.refused(3, "iothub", *words)


def test_a_certificate_for_the_hub_with_anothers_key_is_a_problem(world):
    Linked(world, links='iothub = { host = "h.example"; auth = "x509"; cert_file = "tls.crt"; '
                        'key_file = "other.key"; };').refused(3, "iothub", "other.key")


def test_a_device_without_a_certificate_in_the_folder_is_named(world):
    site = Linked(world, links='iothub = { host = "h.example"; auth = "x509"; cert_file = "certs"; '
                               'key_file = "certs"; };')
    (world.folder / "certs").mkdir(mode=0o700)
    site.refused(3, "iothub", "certs/r1.pem", "put r1.pem there")


def test_authorities_of_the_broker_that_are_none_are_a_problem(world):
    site = Linked(world, links='broker = { url = "mqtts://h.example"; ca_file = "ca.pem"; };')
    (world.folder / "ca.pem").write_text("hello\n")
    site.refused(3, "broker", "ca.pem", "certificates of authorities")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_files_that_this_user_may_not_read_are_only_warned_of(world):
    site = Linked(world)
    site.policy.file.chmod(0)
    told = world.command("check", "--config", site.config)
    assert told.returncode == 0 and "warning" in told.stderr, told


def test_a_reload_is_refused_by_file_and_line(world):
    site = Linked(world)
    world.gateway(site.config)
    (world.folder / "ca.pem").write_text("hello\n")
    lines = site.config.read_text().splitlines()
    lines[2] = 'broker = { url = "mqtts://h.example"; ca_file = "ca.pem"; };'
    site.config.write_text("\n".join(lines) + "\n")
    told = world.command("reload", "--config", site.config)
    assert told.returncode == 2, told
    assert f"{site.config}:3: broker: ca_file" in told.stderr, told
