"""A floor to measure: site, simulator, gateway and back end of one row of the benchmark."""
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "scenarios"))

UNITS, TURNAROUND_S = 31, 0.005  # the simulator's turnaround

# Characters of request and reply, by function (Modbus Application Protocol 1.1b3, section 6).
WRITE, READ, WRITE_10, WRITE_READ = (8, 8), (8, 7), (29, 8), (15, 7)

PROFILE = """
profile = {{
  name = "bench";
  {more}
  points = {{
    plain   = {{ holding = 100; verify = false; write_with = 6; }};
    checked = {{ holding = 101; {checked} }};
    state   = {{ input = 10; }};
    control = {{ holding = 199; access = "w"; }};
    {points}
  }};
  methods = {{
    plain   = {{ steps = ( {{ write = "plain"; arg = "value"; }} ); }};
    checked = {{ steps = ( {{ write = "checked"; arg = "value"; }} ); }};
    look    = {{ steps = ( {{ read = [ "checked" ]; }} ); }};
    reboot  = {{ repeatable = false;
                steps = ( {{ write = "control"; value = 0x55AA; }}, {{ wait = {wait}; }},
                          {{ expect = "state"; value = 1; within = 30.0; }} ); }};
  }};
}};
"""


def profile(more="", checked="write_with = 6;", points="", wait=10.0):
    return PROFILE.format(more=more, checked=checked, points=points, wait=wait)


def silence_s(baud):
    return 3.5 * 11 / baud if baud <= 19200 else 0.00175


def limit_s(frames, units=UNITS, baud=19200):
    """The least time of these frames to every unit of a line, one after another."""
    each = sum((request + reply) * 11 / baud + silence_s(baud) + TURNAROUND_S
               for request, reply in frames)
    return units * each + (units * len(frames) - 1) * silence_s(baud)


def written_limit_s(units=UNITS, baud=19200):
    """The least time between the first and the last of one write each."""
    return (limit_s([WRITE], units, baud) + silence_s(baud)) * (units - 1) / units


def broadcast_s(request, delay_s, baud=19200):
    """One frame to unit 0, and the time that the devices are given."""
    return request[0] * 11 / baud + delay_s


def private_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def cpu_s(pid, but=()):
    """Seconds of processor so far, user's and system's, as the scheduler counts them: to the
    nanosecond and whatever else runs. `but`: without the threads whose names begin so."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if not (task / "comm").read_text().startswith(tuple(but)):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def wakes(pid):
    """How often each thread of the process has gone to sleep so far, by its name."""
    told = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        name = (task / "comm").read_text().strip()
        count = int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        told[name] = told.get(name, 0) + count
    return told


def bare_loop(port, baud, address, check, value):
    """Seconds that the plain libmodbus loop takes on the same line."""
    told = subprocess.run([str(ROOT / "build" / "tests" / "bench" / "bare_loop"), str(port),
                           str(baud), str(UNITS), str(address), str(value),
                           *(["check"] if check else [])], capture_output=True, text=True,
                          timeout=60)
    if told.returncode != 0:
        raise SystemExit(f"bench: {told.stderr}")
    return float(told.stdout)


def threads(pid):
    """(id, name) of each."""
    return [(int(task.name), (task / "comm").read_text().strip())
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]


def schedule(pid, policy, priority=0, nice=0):
    """All threads of a process; False where that is not permitted."""
    try:
        for thread, _ in threads(pid):
            os.sched_setscheduler(thread, policy, os.sched_param(priority))
            os.setpriority(os.PRIO_PROCESS, thread, nice)
    except PermissionError:
        return False
    return True


class Floor:
    """One row's world; a context manager."""

    def __init__(self, lines=1, units=UNITS, baud=19200, sim=(), text=None, tcp=False,
                 line_more=""):
        self.baud, self.sim_options = baud, sim
        self.names = [f"line{number}" for number in range(lines)]
        self.units, self.text, self.tcp = units, text or profile(), tcp
        self.line_more = line_more
        self.jobs = 0

    def __enter__(self):
        from world import LEARNED, World, devices, rtu, tcp
        self.world = World().__enter__()
        self.broker = self.world.broker()
        more = f"{LEARNED} {self.line_more}"
        lines = [tcp(name, 1, more=more) if self.tcp else rtu(name, baud=self.baud, more=more)
                 for name in self.names]
        self.config = self.world.site(
            lines, [devices(f"{name}-##", name, f"1-{self.units}", "bench")
                    for name in self.names], [self.text], self.broker)
        self.sim = self.world.sim(self.config, *self.sim_options)
        self.frames = None
        return self

    def __exit__(self, *end):
        if end[0]:
            print(self.world.logs()[-3000:])
        schedule(os.getpid(), os.SCHED_OTHER)
        self.world.__exit__(*end)

    def bare(self, runs, address=100, check=False):
        """The median of the bare loop on the first line; before start(), the port is one's own."""
        return statistics.median(bare_loop(self.sim.lines / self.names[0], self.baud, address,
                                           check, 900 + run) for run in range(runs))

    def start(self, slow_disk=None):
        """slow_disk: milliseconds of each flush, in turn, as slow_disk.c reads them."""
        self.before = self.sim.dump()["lines"]
        env = {"SLOW_DISK_MS": slow_disk, "LD_PRELOAD": str(
            ROOT / "build" / "tests" / "bench" / "slow_disk.so")} if slow_disk else None
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines, env=env)
        self.backend = self.world.backend(self.broker)
        self.backend.online()
        self.granted = self.grant() and (self.tcp or self.hurry_elsewhere())
        return self

    def grant(self, granted=True):
        """What the unit file grants, or nothing of it: real time for the lines' threads, nice -10
        for all. False where we may not."""
        if not schedule(self.pid, os.SCHED_OTHER, nice=-10 if granted else 0):
            return False
        for thread, name in threads(self.pid):
            if granted and name.startswith("line"):
                os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))
        return True

    def hurry_elsewhere(self):
        """What stands for something that is elsewhere, the wire, the broker's host, the back end's,
        runs before all that this machine has to do. False where we may not."""
        return all(schedule(pid, os.SCHED_FIFO, 2)
                   for pid in (self.sim.child.pid, self.broker.child.pid, os.getpid()))

    @property
    def pid(self):
        return self.gateway.child.pid

    def job(self, method=None, payload=None, desired=None, condition="*", limit=120):
        """Runs a job on all; its outcomes as messages, with .after, seconds since publishing."""
        self.jobs += 1
        job_id = f"job-{self.jobs}"
        document = {"queryCondition": condition}
        if desired is None:
            document.update(type="scheduleDeviceMethod", cloudToDeviceMethod={
                "methodName": method, "payload": payload})
        else:
            document.update(type="scheduleUpdateTwin",
                            updateTwin={"properties": {"desired": desired}})
        begun = time.monotonic()
        self.backend.submit(job_id, **document)
        self.backend.share(job_id, limit=limit)
        messages = self.backend.all(f"jobs/{job_id}/outcomes/")
        for message in messages:
            message.after = message.at - begun
        return messages

    def write(self, method="plain"):
        return self.job(method, {"value": self.jobs + 1})

    def timed(self, messages, wanted=None, may_fail=False):
        """Seconds until the last of them; every one has to be there, and good."""
        bad = [message for message in messages if message.json["status"] != "completed"]
        if bad and not may_fail:
            raise SystemExit(f"bench: bad outcomes: {bad[:3]}")
        good = [message.after for message in messages if message not in bad]
        if len(good) != (wanted or self.units * len(self.names)):
            raise SystemExit(f"bench: {len(good)} good outcomes")
        return max(good)

    def store(self):
        """What the store says of itself."""
        return self.world.api(self.gateway).get("/jobgate/v1/status")[2]["store"]

    def wire_s(self, value):
        """From the first to the last of the writes of this value, as the devices saw them."""
        seen = [write["ms"] for device in self.sim.dump()["devices"].values()
                for write in device["writes"] if write["values"] == [value]]
        return (max(seen) - min(seen)) / 1000

    def broken(self):
        """Requests since start() that came before the silence was over, and all requests."""
        after = self.sim.dump()["lines"]
        return [sum(after[name][key] - self.before[name][key] for name in self.names)
                for key in ("broken_silence", "frames")]
