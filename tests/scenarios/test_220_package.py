"""The package: what it installs, what an upgrade keeps, what a purge leaves (nothing).

Installed by dpkg in a chroot on an overlay of the root, which stays as it is. Only under
./dev test --all, which has built the package before.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import nspawn
from world import ROOT

PACKAGES = ROOT / "build" / "packages"
LATER = "99.0"
MODES = {"usr/bin/jobgate": 0o755, "etc/jobgate/jobgate.conf": 0o644,
         "etc/jobgate/profiles.d": 0o755, "lib/systemd/system/jobgate.service": 0o644,
         "lib/systemd/system/jobgate.socket": 0o644,
         "lib/udev/rules.d/60-jobgate.rules": 0o644,
         "usr/share/jobgate/profiles/room-controller.conf": 0o644,
         "usr/share/man/man1/jobgate.1.gz": 0o644, "usr/share/man/man5/jobgate.conf.5.gz": 0o644,
         "usr/share/doc/jobgate/copyright": 0o644, "usr/share/doc/jobgate/changelog.gz": 0o644,
         "usr/share/bash-completion/completions/jobgate": 0o644}
WANTED = "etc/systemd/system/multi-user.target.wants/jobgate.service"


def the_package():
    if not os.environ.get("JOBGATE_ALL"):
        pytest.skip("packages are installed only under ./dev test --all")
    if not shutil.which("dpkg-deb"):
        pytest.skip("this is no Debian")
    machine = subprocess.run(["dpkg", "--print-architecture"], check=True, text=True, timeout=10,
                             capture_output=True).stdout.strip()
    found = sorted(PACKAGES.glob(f"jobgate_*_{machine}.deb"))
    assert found, f"no package in {PACKAGES}: ./dev package makes it"
    return found[-1]


class Chroot:
    def __init__(self, root):
        self.root = root

    def run(self, *words):
        return subprocess.run(["chroot", str(self.root), *words], timeout=120, check=False,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                                   "DEBIAN_FRONTEND": "noninteractive"})

    def install(self, package):
        shutil.copy(package, self.root / "opt" / "jobgate.deb")
        return self.run("dpkg", "--force-confold", "-i", "/opt/jobgate.deb")

    def installed(self, package):
        done = self.install(package)
        assert done.returncode == 0, done.stdout + done.stderr
        return self

    def has(self, name):
        return os.path.lexists(self.root / name)

    def knows(self, database, name):
        return self.run("getent", database, name).returncode == 0


@pytest.fixture
def chroot():
    the_package()
    reason = nspawn.missing()
    if reason:
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="jobgate-it-") as name:
        folder = pathlib.Path(name)
        nspawn.mount(folder)
        try:
            yield Chroot(folder / "root")
        finally:
            nspawn.unmount(folder)


@pytest.fixture
def later(tmp_path):
    """The same package as of a later version."""
    subprocess.run(["dpkg-deb", "-R", str(the_package()), str(tmp_path / "root")], check=True,
                   timeout=60)
    control = tmp_path / "root" / "DEBIAN" / "control"
    lines = [f"Version: {LATER}" if line.startswith("Version:") else line
             for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    package = tmp_path / "later.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tmp_path / "root"),
                    str(package)], check=True, timeout=60, capture_output=True)
    return package


def test_lintian_is_content():
    package = the_package()
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    done = subprocess.run(["lintian", "--fail-on", "error,warning", str(package)], timeout=120,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_an_installed_package_has_its_files_its_user_and_its_unit_enabled(chroot):
    chroot.installed(the_package())
    for name, mode in MODES.items():
        status = (chroot.root / name).stat()
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (mode, 0, 0), name
    assert (chroot.root / "usr/share/doc/jobgate/pictures/page-job.png").is_file() # api.md shows it
    assert chroot.run("dpkg", "--verify", "jobgate").stdout == ""
    assert chroot.knows("passwd", "jobgate") and chroot.knows("group", "jobgate")
    assert "dialout" in chroot.run("id", "-nG", "jobgate").stdout
    assert chroot.has(WANTED)
    assert chroot.run("jobgate", "--version").returncode == 0
    checked = chroot.run("runuser", "-u", "jobgate", "--", "jobgate", "check")
    assert checked.returncode == 0, checked.stderr


def test_an_upgrade_keeps_site_and_state(chroot, later):
    chroot.installed(the_package())
    site = chroot.root / "etc" / "jobgate" / "jobgate.conf"
    site.write_text(site.read_text().replace('"jobgate"', '"building-43"'))
    state = chroot.root / "var" / "lib" / "jobgate"
    state.mkdir()
    (state / "jobs").write_text("precious")
    chroot.installed(later)
    assert '"building-43"' in site.read_text()
    assert (state / "jobs").read_text() == "precious"
    assert chroot.has(WANTED)


def test_an_administrator_who_disabled_the_unit_is_obeyed_by_an_upgrade(chroot, later):
    chroot.installed(the_package())
    chroot.run("systemctl", "disable", "jobgate.service")
    assert not chroot.has(WANTED)
    chroot.installed(later)
    assert not chroot.has(WANTED)


def test_a_downgrade_is_refused_with_a_sentence(chroot, later):
    chroot.installed(later)
    refused = chroot.install(the_package())
    assert refused.returncode != 0
    assert f"version {LATER} is installed" in refused.stderr
    assert chroot.run("dpkg-query", "-W", "-f=${Version} ${db:Status-Status}",
                      "jobgate").stdout == f"{LATER} installed"


def test_a_removal_keeps_site_and_state_and_a_purge_nothing(chroot):
    chroot.installed(the_package())
    state = chroot.root / "var" / "lib" / "jobgate"
    state.mkdir()
    (state / "jobs").write_text("precious")
    (chroot.root / "etc" / "jobgate" / "broker.password").write_text("secret\n")
    chroot.run("systemctl", "enable", "jobgate.socket")
    assert chroot.has("etc/systemd/system/jobgate.service.wants/jobgate.socket")
    removed = chroot.run("dpkg", "--remove", "jobgate")
    assert removed.returncode == 0, removed.stderr
    assert not chroot.has("usr/bin/jobgate") and chroot.has("etc/jobgate/jobgate.conf")
    assert (state / "jobs").exists()
    purged = chroot.run("dpkg", "--purge", "jobgate")
    assert purged.returncode == 0, purged.stderr
    assert not chroot.knows("passwd", "jobgate") and not chroot.knows("group", "jobgate")
    left = chroot.run("find", "/etc", "/lib/systemd", "/var/lib/systemd", "/lib/udev", "/usr/bin", "/usr/lib/sysusers.d",
                      "/usr/share", "/var/lib", "-xdev", "-name", "*jobgate*")
    assert left.stdout == ""
