"""A real systemd for the unit: systemd-nspawn on an overlay of the root.

The installed files are laid over this machine's own root, which stays as it is; systemd boots there
as process 1 with little more than the unit, a script does things to it and writes one `FACT: yes` or
`FACT: no, ...` a line.
"""
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

# Read by the tests as parameters, so that each fact is a test of its own.
FACTS = ("the_condition_holds_and_it_becomes_ready", "it_runs_as_its_own_user",
         "it_has_no_capability", "its_state_and_runtime_folders_are_its_own",
         "its_socket_is_for_the_group", "a_serial_port_may_be_opened",
         "another_device_may_not_be_opened", "a_credential_can_be_read",
         "a_line_thread_has_real_time",
         "it_stays_alive_while_it_is_well", "a_stopped_process_is_restarted_by_the_watchdog",
         "a_killed_process_is_restarted", "hangup_does_not_end_it", "it_stops_cleanly",
         "a_bad_site_is_not_tried_again")

SCRIPT = r"""
exec >/opt/it/result 2>/opt/it/errors
fact() { # NAME COMMAND...: the command's exit status decides
    local name=$1
    shift
    if "$@"; then echo "$name: yes"; else echo "$name: no, $*"; fi
}
within() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
show() { systemctl show -P "$1" jobgate.service; }
is() { [ "$(show "$1")" = "$2" ]; }
restarts() { is ActiveState active && is NRestarts "$1"; }
status() { grep -q "^$1.*$2" "/proc/$(show MainPID)/status"; }
owned() { [ "$(stat -c '%U:%G %a' "$1")" = "$2" ]; }
may_have_real_time() { grep -q '^Max realtime priority *1 ' "/proc/$(show MainPID)/limits"; }
real_time() { chrt -a -p "$(show MainPID)" | grep -q SCHED_FIFO; }
# A process with the unit's sandbox and devices.
in_sandbox() { systemctl start "probe@$1.service" && [ "$(systemctl show -P ExecMainStatus "probe@$1")" = 0 ]; }
not_in_sandbox() { bash /opt/it/probe "$1" && ! in_sandbox "$1"; }

systemctl start jobgate.service
fact the_condition_holds_and_it_becomes_ready is ActiveState active
fact it_runs_as_its_own_user owned "/proc/$(show MainPID)" "jobgate:jobgate 555"
fact it_has_no_capability status CapBnd: 0000000000000000
fact its_state_and_runtime_folders_are_its_own eval 'owned /var/lib/jobgate "jobgate:jobgate 750" && owned /run/jobgate "jobgate:jobgate 750"'
fact its_socket_is_for_the_group owned /run/jobgate/jobgate.sock "jobgate:jobgate 660"
fact a_serial_port_may_be_opened in_sandbox serial
if systemctl start strict.service; then
    echo "another_device_may_not_be_opened: skip, lists of devices have no effect in this container"
else
    fact another_device_may_not_be_opened not_in_sandbox other
fi
fact a_credential_can_be_read in_sandbox credential
if may_have_real_time; then
    fact a_line_thread_has_real_time within 5 real_time
else
    echo "a_line_thread_has_real_time: skip, the container may not grant it"
fi
sleep 5
fact it_stays_alive_while_it_is_well restarts 0
kill -STOP "$(show MainPID)"
fact a_stopped_process_is_restarted_by_the_watchdog within 15 restarts 1
kill -KILL "$(show MainPID)"
fact a_killed_process_is_restarted within 10 restarts 2
kill -HUP "$(show MainPID)"
sleep 0.5
fact hangup_does_not_end_it restarts 2
systemctl stop jobgate.service
fact it_stops_cleanly eval 'is ActiveState inactive && is Result success'
echo 'nonsense' >>/etc/jobgate/jobgate.conf
systemctl start jobgate.service
sleep 4
fact a_bad_site_is_not_tried_again eval 'is ActiveState failed && is ExecMainStatus 2'
journalctl -q --no-pager -u 'jobgate*' -u 'probe*' >/opt/it/journal
"""

# The unit with another program: what the sandbox lets through is the unit's own.
PROBE = """
[Service]
Type=oneshot
ExecStart=
ExecStart=/bin/bash /opt/it/probe %i
WatchdogSec=0
Restart=no
RuntimeDirectory=
StateDirectory=
"""

PROBES = r"""
case $1 in
    serial) exec 3<>/opt/it/ttyS0 ;;
    other) exec 3>/opt/it/kmsg ;;
    credential) [ "$(cat "$CREDENTIALS_DIRECTORY/it")" = secret ] ;;
esac
"""

DROP_IN = """
[Unit]
ConditionPathExists=/opt/it
[Service]
WatchdogSec=2s
RestartSec=100ms
LoadCredential=it:/etc/jobgate/it.key
"""

SITE = """
gateway = { id = "it"; clock = "trust"; };
lines = ( { name = "nowhere"; adapter = "modbus-tcp"; host = "127.0.0.1"; port = 1; } );
devices = ( { id = "nobody"; line = "nowhere"; unit = 1; profile = "chiller"; } );
"""


class Booted:
    def __init__(self, facts, text):
        self.facts = facts
        self.text = text


def missing():
    """Why a container cannot be had here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn is not installed (package systemd-container)"
    if not pathlib.Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    with tempfile.TemporaryDirectory(prefix="jobgate-it-") as name:
        try:
            mount(pathlib.Path(name))
        except OSError as error:
            return f"no overlay can be mounted: {error}"
        unmount(pathlib.Path(name))
    return None


def mount(folder):
    """An overlay of / at folder/root; what is written goes to a tmpfs that ends with it."""
    top = folder / "top"
    top.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", top)
    try:
        for part in ("upper", "work"):
            (top / part).mkdir()
        (folder / "root").mkdir()
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir=/,upperdir={top}/upper,workdir={top}/work", folder / "root")
    except OSError:
        run("umount", top)
        raise


def unmount(folder):
    for part in ("root", "top"):
        subprocess.run(["umount", str(folder / part)], check=False, timeout=30, capture_output=True)


def run(*words, limit=60, **more):
    done = subprocess.run([str(word) for word in words], check=False, timeout=limit,
                          capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise OSError(f"{words[0]}: {done.stderr.strip()}")


def furnish(root, build):
    """Installs jobgate, and nothing else will be started."""
    run("cmake", "--install", build, env={**os.environ, "DESTDIR": str(root)})
    run("systemd-sysusers", f"--root={root}", "jobgate.conf")
    units = root / "etc" / "systemd" / "system"
    (units / "jobgate.service.d").mkdir(parents=True)
    (units / "jobgate.service.d" / "it.conf").write_text(DROP_IN)
    unit = (root / "lib" / "systemd" / "system" / "jobgate.service").read_text()
    (units / "probe@.service").write_text(
        unit.replace("Type=notify\n", "") + PROBE + DROP_IN.split("RestartSec=100ms")[1])
    (units / "strict.service").write_text(
        "[Service]\nType=oneshot\nDevicePolicy=strict\nExecStart=/bin/bash /opt/it/probe other\n")
    (units / "it.service").write_text(
        "[Service]\nType=oneshot\nTimeoutStartSec=90\nExecStart=/bin/bash /opt/it/script\n"
        "ExecStopPost=systemctl --no-block exit 0\n")
    (units / "it.target").write_text("[Unit]\nRequires=basic.target it.service\n"
                                     "After=basic.target\nAllowIsolate=yes\n")
    it = root / "opt" / "it"
    it.mkdir(parents=True)
    (it / "script").write_text(SCRIPT)
    (it / "probe").write_text(PROBES)
    (root / "etc" / "jobgate" / "jobgate.conf").write_text(SITE)
    key = root / "etc" / "jobgate" / "it.key"
    key.write_text("secret\n")
    key.chmod(0o600)
    # Open to everybody: only the unit's list of devices stands before them.
    for name, numbers in (("ttyS0", (4, 64)), ("kmsg", (1, 11))):
        os.mknod(it / name, stat.S_IFCHR, os.makedev(*numbers))
        (it / name).chmod(0o666)


def boot(build):
    """Installs what is built there, boots, waits for the end."""
    assert (build / "jobgate").exists(), f"{build}/jobgate was not built"
    with tempfile.TemporaryDirectory(prefix="jobgate-it-") as name:
        folder = pathlib.Path(name)
        mount(folder)
        try:
            root = folder / "root"
            furnish(root, build)
            with open(folder / "console", "wb") as console:
                subprocess.run(
                    ["systemd-nspawn", "-q", "-D", str(root), "--register=no", "--keep-unit",
                     "--private-network", "--capability=CAP_BPF", "--rlimit=RTPRIO=1", "-b",
                     "systemd.unit=it.target"],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console, timeout=150,
                    check=False)
            text = (folder / "console").read_text(errors="replace")[-3000:]
            for part in ("errors", "journal", "result"):
                path = root / "opt" / "it" / part
                if path.exists():
                    text += f"\n--- {part}\n" + path.read_text(errors="replace")[-6000:]
            result = root / "opt" / "it" / "result"
            lines = result.read_text().splitlines() if result.exists() else []
            return Booted(dict(line.split(": ", 1) for line in lines if ": " in line), text)
        finally:
            unmount(folder)
