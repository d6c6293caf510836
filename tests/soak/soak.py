#!/usr/bin/python3
"""./dev soak: a busy gateway for so many minutes, then a year of days on a simulated clock.

Everything that comes and goes does: jobs, calls, patches, queries, watchers, the broker, the devices
of a line. What the process holds is looked at all the time and must not grow with it.
"""
import argparse
import http.client
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "scenarios"), str(ROOT / "tests" / "bench")]
LINES, UNITS, SAMPLES = 4, 31, 24
# What may be added between the second and the last quarter, beside a fifth: memory and database also
# for each task that ended between them, which is remembered.
SLACK = {"private_kb": 1024, "fds": 6, "threads": 0, "db_kb": 4096}
TASK_KB = {"private_kb": 2.0, "db_kb": 4.0}


class Look:
    """What the process holds at a moment."""

    def __init__(self, soak):
        process = pathlib.Path(f"/proc/{soak.pid}")
        from floor import private_kb
        from rest import resident_kb
        self.at_s = time.monotonic() - soak.begun
        self.private_kb, self.resident_kb = private_kb(soak.pid), resident_kb(soak.pid)
        self.fds = len(os.listdir(process / "fd"))
        self.threads = len(os.listdir(process / "task"))
        self.db_kb = sum(path.stat().st_size for path in soak.state.glob("jobgate.db*")) // 1024
        self.tasks, self.calls = soak.jobs * LINES * UNITS, soak.calls

    def __str__(self):
        return (f"{self.at_s:8.0f} s {self.private_kb:9} {self.resident_kb:9} {self.fds:5} "
                f"{self.threads:8} {self.db_kb:9} {self.tasks:9} {self.calls:7}")


class Soak:
    """The world, and what is done to it; a context manager."""

    def __init__(self):
        from floor import Floor, profile
        self.floor = Floor(LINES, UNITS, baud=115200, sim=("--drop", "2", "--dead", "line0-07"),
                           text=profile(points="watched = { input = 40; poll = 5.0; };"))
        self.jobs = self.calls = 0
        self.begun = time.monotonic()

    def __enter__(self):
        self.floor.__enter__()
        self.floor.start()
        self.pid, self.state = self.floor.pid, self.floor.config.parent / "state"
        self.api = self.floor.world.api(self.floor.gateway)
        return self

    def __exit__(self, *end):
        self.floor.__exit__(*end)

    def job(self):
        self.jobs += 1
        name = f"soak-{self.jobs}"
        if self.jobs % 2:
            self.api.submit(name, type="scheduleDeviceMethod", queryCondition="*",
                            cloudToDeviceMethod={"methodName": "plain",
                                                 "payload": {"value": self.jobs % 1000}})
        else:
            self.floor.backend.submit(name, type="scheduleUpdateTwin", queryCondition="*", updateTwin={
                "properties": {"desired": {"checked": self.jobs % 1000}}})
        self.api.finished(name)

    def call(self):
        self.calls += 2
        device = f"line{self.calls % LINES}-{self.calls % 30 + 1:02}"
        self.api.call(device, "look")
        self.api.write(device, plain=self.calls % 1000)

    def ask(self):
        for path in ("/metrics", "/devices", "/jobs/v2/query", "/jobgate/v1/status", "/", "/nowhere"):
            self.api.get(path)
        self.api.ask("POST", "/devices/query", {"query": "SELECT * FROM devices.jobs"})

    def watch_and_leave(self):
        with socket.socket(socket.AF_UNIX) as watcher:
            watcher.settimeout(5)
            watcher.connect(str(self.floor.gateway.socket))
            watcher.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            watcher.recv(100)

    def lose_the_broker(self):
        """The gateway's link breaks and comes back, as by another client of its name."""
        from world import until
        self.floor.backend.close()
        self.floor.broker.stop()
        self.floor.broker = self.floor.world.broker(port=self.floor.broker.port)
        self.floor.backend = self.floor.world.backend(self.floor.broker)
        until(lambda: self.api.get("/jobgate/v1/status")[2]["broker"]["connected"], 60, pause=0.2)

    def lose_the_devices(self):
        self.floor.sim.stop()
        self.floor.sim = self.floor.world.sim(self.floor.config, *self.floor.sim_options,
                                              lines=self.floor.sim.lines)

    def hang_up(self):
        self.floor.gateway.child.send_signal(signal.SIGHUP)

    def round(self, number):
        self.job()
        for _ in range(10):
            self.call()
        self.ask()
        self.watch_and_leave()
        for each, what in ((5, self.hang_up), (7, self.lose_the_broker), (11, self.lose_the_devices)):
            if number % each == 0:
                what()


def live(minutes):
    """Looks at a gateway under load, in the order of time."""
    looks, end, number = [], minutes * 60, 0
    print("      time   private  resident   fds  threads  database     tasks   calls   (KB)",
          flush=True)
    with Soak() as soak:
        while soak.begun + end > time.monotonic() or number < 8:
            number += 1
            try:
                soak.round(number)
            except (OSError, http.client.HTTPException) as trouble:
                raise AssertionError(f"round {number}: {trouble}") from trouble
            if soak.begun + len(looks) * end / SAMPLES <= time.monotonic():
                looks.append(Look(soak))
                print(looks[-1], flush=True)
    return looks


def judge(looks):
    """Sentences about what grows."""
    quarter = max(1, len(looks) // 4)
    early, late = looks[quarter:2 * quarter], looks[-quarter:]
    tasks = late[-1].tasks - early[0].tasks
    found = []
    for name, slack in SLACK.items():
        before, after = (statistics.median(getattr(look, name) for look in part)
                         for part in (early, late))
        most = before + (before / 5 if name != "threads" else 0) + slack + tasks * TASK_KB.get(name, 0)
        print(f"{name:<11} {before:9.0f} then {after:9.0f}, at most {most:9.0f}: "
              f"{'level' if after <= most else 'GROWS'}")
        if after > most:
            found.append(f"{name} grows: {before:.0f}, then {after:.0f}")
    return found


def main():
    parser = argparse.ArgumentParser(usage="./dev soak [--minutes N] [--days N]")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "jobgate")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--days", type=int, default=365, help="of simulated time; 0: none")
    wanted = parser.parse_args()
    os.environ["JOBGATE"] = str(wanted.program.resolve())
    found = judge(live(wanted.minutes)) if wanted.minutes > 0 else []
    if wanted.days > 0:
        year = wanted.program.resolve().parent / "tests" / "soak" / "year"
        told = subprocess.run([year, "--days", str(wanted.days)], timeout=1800, check=False)
        if told.returncode != 0:
            found.append(f"the simulated year ended with {told.returncode}")
    print("; ".join(found) if found else "everything is level")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
