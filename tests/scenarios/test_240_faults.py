"""What the system may do to the gateway: no disk, no descriptors, no memory, another time of day, kills.

Faults are made by a library that is loaded before the program (tests/faults), so the program is the
one without sanitizers.
"""
import contextlib
import datetime
import errno
import http.client
import os
import pathlib
import random
import resource
import signal
import struct
import subprocess
import threading
import time

import pytest

from world import KILLED, PATIENCE, PROGRAM, ROOM, ROOT, devices, rtu, until

SHIMS = [tree / "tests" / "faults" / "libfaults.so" for tree in (PROGRAM.parent, ROOT / "build")]
SHIM = next((shim for shim in SHIMS if shim.exists()), None)
PLAIN = SHIM.parent.parent.parent / "jobgate" if SHIM else PROGRAM
COMFORT = {"type": "scheduleDeviceMethod", "queryCondition": "*",
           "cloudToDeviceMethod": {"methodName": "setComfort", "payload": {"setpoint": 21.5}}}

pytestmark = pytest.mark.skipif(SHIM is None, reason="tests/faults was not built")


class Wishes:
    """The file by which the library is told."""

    def __init__(self, folder):
        self.path = folder / "wishes"
        self.disk, self.sync_ms, self.wall_ms, self.no_memory, self.held = 0, 0, 0, 0, 0
        self.path.write_bytes(bytes(40))
        self.wish()

    def wish(self, **wishes):
        self.__dict__.update(wishes)
        with open(self.path, "r+b") as file:  # stays the same file
            file.write(struct.pack("iiqqq", self.disk, self.sync_ms, self.wall_ms, self.no_memory,
                                   self.held))

    def waiting(self):
        """How many wait for a profile that is held."""
        return struct.unpack_from("q", self.path.read_bytes(), 32)[0]

    @property
    def env(self):
        return {"LD_PRELOAD": str(SHIM), "FAULTS": str(self.path)}


class Faulty:
    """Three rooms, and a gateway that things happen to."""

    def __init__(self, world):
        self.world, self.wishes = world, Wishes(world.folder)
        self.config = world.site([rtu("floor3", more=KILLED)],
                                 [devices("room-#", "floor3", "1-3")], [ROOM])
        self.sim = world.sim(self.config)
        self.start()

    def start(self, wait=True):
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines, wait=wait,
                                          env=self.wishes.env, program=PLAIN)
        self.api = self.world.api(self.gateway)

    def store(self):
        return self.api.get("/jobgate/v1/status")[2]["store"]

    def is_done(self, job):
        share = self.api.finished(job)
        told = share["deviceJobStatistics"]
        return (share["status"], told["deviceCount"], told["succeededCount"]) == ("completed", 3, 3)


@pytest.fixture
def faulty(world):
    return Faulty(world)


def submitted_while_the_disk_fails(faulty, job, error, words):
    """The status of a job that is submitted just then; what comes later is refused."""
    faulty.wishes.wish(disk=error)
    answers = []
    during = threading.Thread(target=lambda: answers.append(faulty.api.submit(job, **COMFORT)[0]))
    during.start()
    until(lambda: not faulty.store()["takes"], what="the store says that it takes nothing")
    assert words in faulty.store()["why"]
    status, _, refused = faulty.api.submit("refused", **COMFORT)
    assert status == 503 and "ServiceUnavailable;the disk of" in refused["Message"]
    assert faulty.api.write("room-1", setpoint=22)[0] == 507
    faulty.wishes.wish(disk=0)
    until(lambda: faulty.store()["takes"], what="the store takes again by itself")
    during.join()
    return answers[0]


@pytest.mark.parametrize("error,words", [(errno.ENOSPC, "is full"), (errno.EIO, "fails"),
                                         (errno.EROFS, "")])
def test_a_disk_that_takes_nothing_refuses_new_work_and_loses_none(faulty, error, words):
    assert faulty.api.submit("before", **COMFORT)[0] == 200
    assert faulty.is_done("before")
    for number in range(20):
        during = f"during-{number}"
        if submitted_while_the_disk_fails(faulty, during, error, words) == 200:
            break  # else something of the gateway's own had met the disk before
    assert faulty.is_done(during)
    assert faulty.api.get("/jobs/v2/refused")[0] == 404
    assert faulty.api.submit("after", **COMFORT)[0] == 200 and faulty.is_done("after")
    faulty.gateway.child.kill()
    faulty.gateway.child.wait()
    faulty.start()
    for job in ("before", during, "after"):
        assert faulty.is_done(job)


@contextlib.contextmanager
def no_descriptors(pid):
    """What it has is all it gets."""
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def test_a_process_without_descriptors_goes_on_and_recovers(faulty):
    assert faulty.api.submit("long", **{**COMFORT, "cloudToDeviceMethod": {"methodName": "linger"}})[0] == 200
    with no_descriptors(faulty.gateway.child.pid):
        waiting = []
        for _ in range(8):  # nobody takes them in, and the kernel keeps them
            waiting.append(threading.Thread(target=faulty.api.get, args=("/jobgate/v1/status",)))
            waiting[-1].start()
        time.sleep(1)
        assert faulty.gateway.is_running()
    for thread in waiting:
        thread.join()
    assert faulty.is_done("long")
    assert faulty.api.write("room-1", setpoint=20)[0] == 200


@pytest.mark.parametrize("most", [4, 8, 12, 16, 20, 24, 28, 32])
def test_a_start_with_few_descriptors_is_refused_with_a_sentence_or_works(faulty, most):
    assert faulty.gateway.stop() == 0
    command = [str(PLAIN), "run", "--config", str(faulty.config), "--lines", str(faulty.sim.lines)]
    log = faulty.world.folder / "few.log"
    with open(log, "wb") as told:
        child = subprocess.Popen(["bash", "-c", f'ulimit -n {most}; exec "$0" "$@"', *command],
                                 stdout=told, stderr=told, stdin=subprocess.DEVNULL)
    try:
        until(lambda: child.poll() is not None or "3 devices" in log.read_text())
        child.terminate()
        assert child.wait(PATIENCE) in (0, 1, 3), log.read_text()
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 0 or "oo many open files" in log.read_text() or \
        "descriptors" in log.read_text(), log.read_text()


@pytest.mark.parametrize("more", [0, 100000])
@pytest.mark.parametrize("number", [1, 7, 40, 150, 420, 1000, 1300, 1700, 2100, 2600])
def test_a_start_without_memory_is_refused_with_a_sentence_or_works(faulty, number, more):
    assert faulty.gateway.stop() == 0
    env = {**os.environ, **faulty.wishes.env, "FAULTS_MALLOC": str(number),
           "FAULTS_MALLOC_MORE": str(more)}
    log = faulty.world.folder / "poor.log"
    with open(log, "wb") as told:
        child = subprocess.Popen([str(PLAIN), "run", "--config", str(faulty.config), "--lines",
                                  str(faulty.sim.lines)], env=env, stdout=told, stderr=told,
                                 stdin=subprocess.DEVNULL)
    try:
        until(lambda: child.poll() is not None or "3 devices" in log.read_text())
        if child.poll() is None:  # it began after all: what is missing comes later
            child.kill()
            child.wait()
        else:
            assert child.returncode == 3 and "emory" in log.read_text(), log.read_text()
    finally:
        child.kill()
        child.wait()
    faulty.start()
    assert faulty.api.write("room-1", setpoint=20)[0] == 200


@pytest.mark.parametrize("after_s", [0.0, 0.03, 0.08, 0.15])
def test_memory_that_runs_out_costs_a_restart_at_most(faulty, after_s):
    assert faulty.api.submit("poor", **COMFORT)[0] == 200
    time.sleep(after_s)
    faulty.wishes.wish(no_memory=1)
    with contextlib.suppress(OSError, http.client.HTTPException):
        faulty.api.ask("GET", "/jobgate/v1/status", limit=1)
    time.sleep(0.2)
    faulty.wishes.wish(no_memory=0)
    with contextlib.suppress(OSError, http.client.HTTPException):
        faulty.api.ask("GET", "/jobgate/v1/status")

    def is_well():
        """It may still end of what it did not get; the store takes up its work by itself."""
        if not faulty.gateway.is_running():  # as the service manager does
            faulty.start()
        with contextlib.suppress(OSError, http.client.HTTPException):
            return faulty.api.write("room-1", setpoint=20)[0] == 200
    until(is_well, what="it is well again")
    assert faulty.api.finished("poor")["deviceJobStatistics"]["deviceCount"] == 3
    assert len(faulty.api.outcomes("poor")) == 3


def in_hours(hours):
    return (datetime.datetime.now(datetime.timezone.utc)
            + datetime.timedelta(hours=hours)).isoformat()


@pytest.mark.parametrize("hours", [24 * 400, -24 * 400])
def test_a_clock_that_jumps_disturbs_nothing_that_has_begun(faulty, hours):
    stay = {**COMFORT, "cloudToDeviceMethod": {"methodName": "stay"}}
    assert faulty.api.submit("begun", **stay)[0] == 200
    until(lambda: faulty.api.job("begun")["status"] == "running")
    faulty.wishes.wish(wall_ms=hours * 3600000)
    assert faulty.is_done("begun")
    assert faulty.api.submit("later", **COMFORT)[0] == 200 and faulty.is_done("later")


def test_a_scheduled_job_starts_when_the_clock_comes_to_it(faulty):
    assert faulty.api.submit("tonight", startTime=in_hours(8), **COMFORT)[0] == 200
    faulty.wishes.wish(wall_ms=-3600000)
    time.sleep(1.5)
    assert faulty.api.job("tonight")["status"] in ("scheduled", "queued")
    faulty.wishes.wish(wall_ms=9 * 3600000)
    assert faulty.is_done("tonight")


def test_a_storm_of_kills_loses_no_job(faulty):
    moments = random.Random(7)
    asked = []
    for number in range(12):
        with contextlib.suppress(OSError, AssertionError):
            if faulty.api.submit(f"storm-{number}", **COMFORT)[0] == 200:
                asked.append(f"storm-{number}")
        faulty.gateway.child.send_signal(signal.SIGKILL)
        faulty.gateway.child.wait()
        faulty.start(wait=False)
        if number % 3:  # else it is killed while it begins
            until(faulty.gateway.socket.exists)
            time.sleep(moments.random() / 5)
        else:
            time.sleep(moments.random() / 20)
    faulty.gateway.stop()
    faulty.start()
    assert asked
    for job in asked:
        assert faulty.api.finished(job)["deviceJobStatistics"]["deviceCount"] == 3
        assert len(faulty.api.outcomes(job)) == 3
