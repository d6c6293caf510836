#!/usr/bin/python3
"""./dev bench: 31 writes on one line, as a ratio to the wire's physical limit.

From the publishing of the job to the last outcome on the broker, by a job over MQTT, with and
without read-back; the median of five runs, beside a bare libmodbus loop on the same simulated
line. The simulator keeps the time of a real wire; what breaks the silence is counted by it.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "scenarios"))

BAUD, UNITS, TURNAROUND_S = 19200, 31, 0.005  # the simulator's turnaround
CHARACTER_S = 11 / BAUD
SILENCE_S = 3.5 * CHARACTER_S if BAUD <= 19200 else 0.00175
WRITE, READ = (8, 8), (8, 7)  # characters of request and reply: function 6, function 3

PROFILE = """
profile = {
  name = "bench";
  points = {
    plain   = { holding = 100; verify = false; write_with = 6; };
    checked = { holding = 101; write_with = 6; };
  };
  methods = { plain = { steps = ( { write = "plain"; arg = "value"; } ); };
              checked = { steps = ( { write = "checked"; arg = "value"; } ); }; };
};
"""


def limit_s(frames):
    """The least time of these frames to every unit, one after another."""
    each = sum((request + reply) * CHARACTER_S + SILENCE_S + TURNAROUND_S
               for request, reply in frames)
    return UNITS * each + (UNITS * len(frames) - 1) * SILENCE_S


def bare_loop(port, address, check, value):
    told = subprocess.run([str(ROOT / "build" / "tests" / "bench" / "bare_loop"), str(port),
                           str(BAUD), str(UNITS), str(address), str(value),
                           *(["check"] if check else [])], capture_output=True, text=True,
                          timeout=60)
    if told.returncode != 0:
        raise SystemExit(f"bench: {told.stderr}")
    return float(told.stdout)


def by_job(backend, method, number):
    job_id = f"{method}-{number}"
    begun = time.monotonic()
    backend.submit(job_id, type="scheduleDeviceMethod", queryCondition="*",
                   cloudToDeviceMethod={"methodName": method, "payload": {"value": number + 1}})
    backend.share(job_id)
    messages = backend.all(f"jobs/{job_id}/outcomes/")
    bad = [message for message in messages if message.json["status"] != "completed"]
    if len(messages) != UNITS or bad:
        raise SystemExit(f"bench: {len(messages)} outcomes, bad: {bad}")
    return max(message.at for message in messages) - begun


def private_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench(world, runs):
    from world import devices, rtu
    broker = world.broker()
    config = world.site([rtu("floor3", baud=BAUD)],
                        [devices("room-##", "floor3", f"1-{UNITS}", "bench")], [PROFILE], broker)
    sim = world.sim(config)
    kinds = (("without read-back", "plain", 100, False, [WRITE]),
             ("with read-back", "checked", 101, True, [WRITE, READ]))
    bare = {name: statistics.median(bare_loop(sim.lines / "floor3", address, check, 900 + run)
                                    for run in range(runs))
            for name, _, address, check, _ in kinds}
    before = sim.dump()["lines"]["floor3"]
    gateway = world.gateway(config, "--lines", sim.lines)
    backend = world.backend(broker)
    backend.online()
    by_job(backend, "plain", 0)  # learns the devices' time-outs
    used = cpu_s(gateway.child.pid)
    print(f"{UNITS} writes on one line at {BAUD} baud, median of {runs}, as a ratio to the wire's "
          f"limit\n{'':<22}{'jobgate':>9}{'worst':>8}{'bare loop':>11}")
    for name, method, _, _, frames in kinds:
        times = [by_job(backend, method, run + 1) for run in range(runs)]
        least = limit_s(frames)
        print(f"{name:<22}{statistics.median(times) / least:>9.3f}{max(times) / least:>8.3f}"
              f"{bare[name] / least:>11.3f}")
    used = cpu_s(gateway.child.pid) - used
    line = sim.dump()["lines"]["floor3"]
    broken, frames = (line[key] - before[key] for key in ("broken_silence", "frames"))
    print(f"\nrequests that broke the silence: {broken} of {frames} (must be 0)"
          f"\nprivate memory: {private_kb(gateway.child.pid) / 1024:.1f} MB"
          f"\nprocessor: {used / (2 * runs * UNITS) * 1000:.2f} ms a write"
          f"\nstart to ready: {gateway.ready_s * 1000:.0f} ms")
    return 1 if broken else 0


def main():
    parser = argparse.ArgumentParser(usage="./dev bench [--runs N]")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "jobgate")
    parser.add_argument("--runs", type=int, default=5)
    wanted = parser.parse_args()
    os.environ["JOBGATE"] = str(wanted.program.resolve())
    from world import World  # reads JOBGATE
    with World() as world:
        try:
            return bench(world, wanted.runs)
        except AssertionError as trouble:
            print(f"bench: {trouble}\n{world.logs()}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
