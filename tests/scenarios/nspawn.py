"""A real systemd for the unit: systemd-nspawn on an overlay of the root.

The installed files are laid over this machine's own root, which stays as it is; systemd boots there
as process 1 with little more than the unit, a script does things to it and writes one `FACT: yes` or
`FACT: no, ...` a line.
"""
import base64
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

# Read by the tests as parameters, so that each fact is a test of its own.
FACTS = ("the_condition_holds_and_it_becomes_ready", "it_runs_as_its_own_user",
         "nobody_of_its_user_may_look_into_it",
         "it_has_no_capability", "its_state_and_runtime_folders_are_its_own",
         "its_socket_is_for_the_group", "a_serial_port_may_be_opened",
         "another_device_may_not_be_opened", "a_credential_can_be_read",
         "a_write_is_verified_on_a_line", "it_leaves_no_core_file",
         "https_is_answered_at_port_443", "nobody_without_a_key_is_let_in",
         "the_journal_is_asked_by_line", "it_stays_alive_while_it_is_well",
         "a_stopped_process_is_restarted_by_the_watchdog",
         "a_hung_line_is_restarted_by_the_watchdog", "a_line_that_hung_is_asked_again",
         "a_killed_process_is_restarted", "https_is_answered_after_a_kill",
         "a_job_lives_through_a_kill", "a_job_lives_through_a_stop", "hangup_does_not_end_it",
         "a_reload_takes_the_changed_site", "a_reload_of_a_bad_site_fails_and_changes_nothing",
         "it_stops_cleanly", "the_port_closes_with_the_gateway", "a_line_thread_has_real_time",
         "a_bad_site_is_not_tried_again",
         "callers_of_a_bad_site_do_not_start_it_for_ever", "a_mended_site_has_its_port_again")

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
may_have_real_time() { [ "$(ulimit -Hr)" != 0 ]; }
verified() { jobgate write room-1 setpoint=21.5 | grep -q verified; }
job() { jobgate job submit - <<<'{"jobId": "'$1'", "type": "scheduleDeviceMethod", "queryCondition": "*",
    "cloudToDeviceMethod": {"methodName": "reboot"}}' >/dev/null; }
# Over, with an outcome for each of the three devices. Whether the reboot is sure is another matter.
job_over() { jobgate job show --json "$1" |
    grep -q '"deviceCount":3,.*"runningCount":0,"pendingCount":0'; }
https() { python3 /opt/it/https "$1"; }
running_as() { grep -qsx "$1" /proc/"$(show MainPID)"/task/*/comm; }
hung() { grep -qs '^State:.*tracing stop' /proc/"$(show MainPID)"/task/*/status; }
real_time() { chrt -a -p "$(show MainPID)" | grep -q SCHED_FIFO; }
# A process with the unit's sandbox and devices.
in_sandbox() { systemctl start "probe@$1.service" && [ "$(systemctl show -P ExecMainStatus "probe@$1")" = 0 ]; }
not_in_sandbox() { bash /opt/it/probe "$1" && ! in_sandbox "$1"; }

systemctl start sim.service
within 20 test -e /opt/it/lines/lines.json
chmod 666 /dev/pts/*
systemctl enable -q jobgate.socket
systemctl start jobgate.service
fact the_condition_holds_and_it_becomes_ready is ActiveState active
fact it_runs_as_its_own_user status Uid: "$(id -u jobgate)"
fact nobody_of_its_user_may_look_into_it owned "/proc/$(show MainPID)/environ" "root:root 400"
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
fact a_write_is_verified_on_a_line verified
fact it_leaves_no_core_file grep -q '^Max core file size *0 *0 ' "/proc/$(show MainPID)/limits"
fact the_journal_is_asked_by_line eval 'journalctl --sync && journalctl -q -o cat JOBGATE_LINE=floor | grep -q "line floor: up"'
fact https_is_answered_at_port_443 https 200
fact nobody_without_a_key_is_let_in https 401
sleep 5
fact it_stays_alive_while_it_is_well restarts 0
kill -STOP "$(show MainPID)"
fact a_stopped_process_is_restarted_by_the_watchdog within 15 restarts 1
within 20 running_as floor
python3 /opt/it/hang.py "$(show MainPID)" floor &
within 10 hung
timeout 60 jobgate read room-1 & # something for the line to do
fact a_hung_line_is_restarted_by_the_watchdog eval 'within 60 restarts 2 && journalctl --sync && journalctl -q -o cat -u jobgate.service | grep -q "the thread of floor is"'
fact a_line_that_hung_is_asked_again within 20 verified
kill -KILL "$(show MainPID)"
fact a_killed_process_is_restarted within 10 restarts 3
fact https_is_answered_after_a_kill https 200
job killed
kill -KILL "$(show MainPID)"
within 10 restarts 4
fact a_job_lives_through_a_kill within 60 job_over killed
job stopped
systemctl restart jobgate.service
fact a_job_lives_through_a_stop within 60 job_over stopped
kill -HUP "$(show MainPID)"
sleep 0.5
fact hangup_does_not_end_it restarts 0
sed -i 's/units = "1-3"/units = "1-2"/' /etc/jobgate/jobgate.conf
fact a_reload_takes_the_changed_site eval 'systemctl reload jobgate.service && jobgate devices | grep -q room-2 && ! jobgate devices | grep -q room-3'
echo 'nonsense' >>/etc/jobgate/jobgate.conf
fact a_reload_of_a_bad_site_fails_and_changes_nothing eval '! systemctl reload jobgate.service && restarts 0 && jobgate devices | grep -q room-2'
sed -i -e '/^nonsense/d' -e 's/units = "1-2"/units = "1-3"/' /etc/jobgate/jobgate.conf
systemctl stop jobgate.service
fact it_stops_cleanly eval 'is ActiveState inactive && is Result success'
fact the_port_closes_with_the_gateway https closed
if ! may_have_real_time; then # where the container's own limit forbids it, by a capability
    mkdir -p /run/systemd/system/jobgate.service.d
    cp /opt/it/real-time.conf /run/systemd/system/jobgate.service.d/
    systemctl daemon-reload
fi
systemctl start jobgate.service
fact a_line_thread_has_real_time within 5 real_time
systemctl stop jobgate.service
echo 'nonsense' >>/etc/jobgate/jobgate.conf
systemctl start jobgate.service
sleep 4
fact a_bad_site_is_not_tried_again eval 'is ActiveState failed && is ExecMainStatus 2'
https 200 2>/dev/null # its caller starts it again, by the socket
sleep 3
begun=$(journalctl -q -o cat -u jobgate.service | grep -c '^Starting jobgate')
sleep 3
fact callers_of_a_bad_site_do_not_start_it_for_ever [ "$(journalctl -q -o cat -u jobgate.service | grep -c '^Starting jobgate')" = "$begun" ]
sed -i '$d' /etc/jobgate/jobgate.conf
systemctl restart jobgate.service
fact a_mended_site_has_its_port_again https 200
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

KEY = base64.b64encode(b"the key of the scenarios, 32 long").decode()
PROBES = r"""
case $1 in
    serial) exec 3<>/opt/it/ttyS0 ;;
    other) exec 3>/opt/it/kmsg ;;
    credential) [ "$(cat "$CREDENTIALS_DIRECTORY/it")" = "KEY" ] ;;
esac
""".replace("KEY", KEY)

DROP_IN = """
[Unit]
ConditionPathExists=/opt/it
[Service]
ExecStart=
ExecStart=/usr/bin/jobgate run --lines /opt/it/lines
WatchdogSec=2s
RestartSec=100ms
LoadCredential=it:/etc/jobgate/it.key
LoadCredential=tls:/etc/jobgate/tls.key
"""

REAL_TIME = """
[Service]
PrivateUsers=no
CapabilityBoundingSet=CAP_SYS_NICE
AmbientCapabilities=CAP_SYS_NICE
"""

# Says whether port 443 answers as expected, to whom has the key or, for 401, to whom has not.
HTTPS = """
import sys, urllib.error, urllib.request, ssl
sys.path.insert(0, "/opt/it")
import sign
request = urllib.request.Request("https://localhost/jobgate/v1/status?api-version=2021-04-12")
if sys.argv[1] != "401":
    request.add_header("Authorization", sign.token())
try:
    answer = str(urllib.request.urlopen(
        request, context=ssl.create_default_context(cafile="/etc/jobgate/tls.crt"), timeout=10).status)
except urllib.error.HTTPError as error:
    answer = str(error.code)
except OSError as error:
    answer = "closed" if "refused" in str(error) else str(error)
sys.exit(answer != sys.argv[1] and f"answered {answer}, not {sys.argv[1]}")
"""

SIGN = r"""
import base64, hashlib, hmac, pathlib, time, urllib.parse
def token():
    key = pathlib.Path("/etc/jobgate/it.key").read_text().strip()
    end = int(time.time()) + 600
    made = hmac.new(base64.b64decode(key), f"localhost\n{end}".encode(), hashlib.sha256).digest()
    sig = urllib.parse.quote(base64.b64encode(made).decode(), safe="")
    return f"SharedAccessSignature sr=localhost&sig={sig}&skn=operator&se={end}"
"""

# Holds a thread still until its process is killed.
HANG = """
import os, sys, time
sys.path.insert(0, "/opt/it")
from frozen import Frozen, thread_of
thread = thread_of(sys.argv[1], sys.argv[2])
with Frozen(thread):
    for _ in range(600):
        if os.waitpid(thread, 0x40000000 | os.WNOHANG)[0]:  # __WALL
            os._exit(0)
        time.sleep(0.1)
"""

SITE = """
gateway = { id = "it"; clock = "trust"; };
api = { https = { listen = "0.0.0.0:443"; host = "localhost"; cert_file = "/etc/jobgate/tls.crt";
                  key_file = "credential:tls";
                  policies = ( { name = "operator"; key_file = "credential:it";
                                 rights = [ "read" ]; } ); }; };
lines = ( { name = "floor"; adapter = "modbus-rtu"; port = "/dev/serial/by-id/nowhere"; } );
devices = ( { id = "room-#"; line = "floor"; units = "1-3"; profile = "room-controller"; } );
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
    (units / "sim.service").write_text("[Service]\nExecStart=/usr/bin/jobgate sim --dir /opt/it/lines\n")
    (units / "strict.service").write_text(
        "[Service]\nType=oneshot\nDevicePolicy=strict\nExecStart=/bin/bash /opt/it/probe other\n")
    (units / "it.service").write_text(
        "[Service]\nType=oneshot\nTimeoutStartSec=200\nExecStart=/bin/bash /opt/it/script\n"
        "ExecStopPost=systemctl --no-block exit 0\n")
    (units / "it.target").write_text("[Unit]\nRequires=basic.target it.service\n"
                                     "After=basic.target\nAllowIsolate=yes\n")
    it = root / "opt" / "it"
    it.mkdir(parents=True)
    (it / "script").write_text(SCRIPT)
    (it / "probe").write_text(PROBES)
    (it / "https").write_text(HTTPS)
    (it / "sign.py").write_text(SIGN)
    (it / "hang.py").write_text(HANG)
    shutil.copy(pathlib.Path(__file__).with_name("frozen.py"), it)
    (it / "real-time.conf").write_text(REAL_TIME)
    (root / "etc" / "jobgate" / "jobgate.conf").write_text(SITE)
    key = root / "etc" / "jobgate" / "it.key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    run(build / "jobgate", "cert", "--host", "localhost", root / "etc" / "jobgate" / "tls.crt",
        root / "etc" / "jobgate" / "tls.key")
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
                    # Lists of devices are programs for the kernel: only with the second version
                    # of control groups, and nspawn's own filter forbids them.
                    env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                         "SYSTEMD_SECCOMP": "0"},
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console, timeout=240,
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
