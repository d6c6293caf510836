#!/usr/bin/python3
"""The gateway as many devices of a hub: memory, threads, processor when idle, time to all connected.

The hub is the stand-in of tests/scenarios/hub.py, in a process of this script's: over TLS on the
same machine, so that the times are the gateway's and the stand-in's together.
"""
import argparse
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "scenarios"))

IDLE_S = 20


def private_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def threads(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


def measure(world, count, per_s):
    from hub import Hub, iothub_group
    from world import LEARNED, ROOM, devices, free_port, rtu, until
    hub = Hub(world.tls(), free_port())
    world._ends.callback(hub.close)
    half = count // 2
    hub.add(*(f"{line}-{number:03}" for line in "ab" for number in range(1, half + 1)))
    count = 2 * half
    lines = [rtu("a", more=LEARNED), rtu("b", more=LEARNED)]
    groups = [devices(f"{line}-###", line, f"1-{half}") for line in "ab"]
    sites = {name: world.site(lines, groups, [ROOM], group, name=name) for name, group in (
        ("without", ""), ("with", iothub_group(hub, world.folder, f"connect_per_s = {per_s};")))}
    sim = world.sim(sites["with"])
    gateway = world.gateway(sites["without"], "--lines", sim.lines)
    time.sleep(1)
    bare_kb, bare_threads = private_kb(gateway.child.pid), threads(gateway.child.pid)
    gateway.stop()
    begun = time.monotonic()
    gateway = world.gateway(sites["with"], "--lines", sim.lines)
    until(lambda: len(hub.connected()) == count, count / per_s * 2 + 30, "all are connected", 0.05)
    all_s = time.monotonic() - begun
    until(lambda: len({name for _, name, _ in hub.twin_requests}) == count, 60)
    time.sleep(2)
    pid = gateway.child.pid
    used = cpu_s(pid)
    time.sleep(IDLE_S)
    idle = (cpu_s(pid) - used) / IDLE_S * 100
    print(f"{count} devices of a hub, {per_s} connections a second allowed"
          f"\ntime to all connected: {all_s:.1f} s"
          f"\nprivate memory: {private_kb(pid) / 1024:.1f} MB ({bare_kb / 1024:.1f} MB without the hub)"
          f"\nthreads: {threads(pid)} ({bare_threads} without the hub)"
          f"\nprocessor when idle: {idle:.2f} %", flush=True)
    begun = time.monotonic()
    status = gateway.stop()
    print(f"stop: {(time.monotonic() - begun) * 1000:.0f} ms, exit status {status}")
    for line in hub.violations:
        print(f"bench: the hub's rules were broken: {line}")
    return 1 if hub.violations or status != 0 else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "jobgate")
    parser.add_argument("--devices", type=int, default=250)
    parser.add_argument("--per-second", type=int, default=50)
    wanted = parser.parse_args()
    os.environ["JOBGATE"] = str(wanted.program.resolve())
    from world import World  # reads JOBGATE
    with World() as world:
        try:
            return measure(world, wanted.devices, wanted.per_second)
        except AssertionError as trouble:
            print(f"bench: {trouble}\n{world.logs()}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
