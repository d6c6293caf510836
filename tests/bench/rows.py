"""The rows of the benchmark: each a function that returns what it found."""
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import tty

from floor import (READ, ROOT, UNITS, WRITE, WRITE_10, WRITE_READ, Floor, broadcast_s, cpu_s,
                   limit_s, private_kb, profile, wakes, written_limit_s)
from rest import rest


class Row:
    """One line of the table. Ratios are to the wire's limit unless a unit is given."""

    def __init__(self, name, goal, values, bare=None, unit="", note=""):
        self.name, self.goal, self.bare, self.unit, self.note = name, goal, bare, unit, note
        self.median, self.worst = statistics.median(values), max(values)

    def is_met(self):
        return self.goal is None or self.median <= self.goal

    def __str__(self):
        def show(number):
            return "" if number is None else f"{number:.3f}{self.unit}"
        return (f"{self.name:<46}{show(self.goal):>10}{show(self.median):>11}"
                f"{show(self.worst):>11}{show(self.bare):>9}  "
                f"{'' if self.is_met() else 'MISSED '}{self.note}")


def silence_note(floor):
    broken, frames = floor.broken()
    return f"{broken} of {frames} requests broke the silence"


def one_write(runs, method="plain", baud=19200, goal=1.03):
    """One write to each of 31 devices on one line."""
    frames, address = ([WRITE], 100) if method == "plain" else ([WRITE, READ], 101)
    least = limit_s(frames, baud=baud)
    with Floor(baud=baud) as floor:
        bare = floor.bare(runs, address, method != "plain")
        floor.start()
        floor.write()  # learns the time-outs
        times = [floor.timed(floor.write(method)) / least for _ in range(runs)]
        name = "without" if method == "plain" else "with"
        broken, frames = floor.broken()
        return [Row(f"one write {name} read-back, {baud} baud", goal, times, bare / least),
                Row("  of these requests, before 3.5 characters were over", 0, [broken],
                    note=f"of {frames}")]


def plain(runs):
    return one_write(runs)


def checked(runs):
    return one_write(runs, "checked")


def slow_baud(runs):
    return one_write(runs, baud=9600)


def fast_baud(runs):
    return one_write(runs, baud=115200, goal=1.10)


def many_lines(runs):
    """4 and 8 lines: as long as one, and what the processor has to do for it."""
    rows = []
    for lines in (4, 8):
        with Floor(lines=lines) as floor:
            floor.start()
            floor.write()
            used, begun = [cpu_s(floor.pid), cpu_s(floor.pid, ["MQTT"])], time.monotonic()
            times = [floor.timed(floor.write()) / limit_s([WRITE]) for _ in range(runs)]
            took = time.monotonic() - begun
            share = [(now - then) / took * 100 for now, then in
                     zip([cpu_s(floor.pid), cpu_s(floor.pid, ["MQTT"])], used)]
            rows.append(Row(f"{lines} lines of 31, one write", 1.04, times,
                            note=silence_note(floor)))
    each = share[0] / 100 * took / (runs * lines * UNITS) * 1e6
    rows.append(Row("processor while 8 lines are busy", 5.0, share[:1], unit=" %",
                    note=f"{each:.0f} us a task; without Paho's two threads {share[1]:.1f} %"))
    return rows


def written(runs):
    """Bytes that a task costs in the store's log, in a small and in a large job."""
    rows = []
    for lines in (1, 8):
        with Floor(lines=lines) as floor:
            floor.start()
            floor.write()
            before = floor.store()
            for _ in range(runs):
                floor.write()
            after = floor.store()
            tasks = runs * lines * UNITS
            rows.append(Row(f"written for a task, job of {lines * UNITS}", 2.0,
                            [(after["bytes"] - before["bytes"]) / tasks / 1000], unit=" KB",
                            note=f"{(after['commits'] - before['commits']) / runs:.1f} "
                                 "commits a job"))
    return rows


def slow_disk(runs):
    """The wire and the whole, where each flush takes long or some of them stall."""
    rows = []
    for name, times in (("flush of 30 ms", "30"), ("flush of 100 ms", "100"),
                        ("4th flush 500 ms", "0,0,0,500")):
        worst = max(int(number) for number in times.split(",")) / 1000
        wire, more = [], []
        with Floor() as floor:
            bare = floor.bare(min(runs, 3)) / limit_s([WRITE])
            floor.start(slow_disk=times)
            floor.write()
            for _ in range(max(runs, 4)):
                messages = floor.write()
                least = limit_s([WRITE])
                wire.append(floor.wire_s(floor.jobs) / (least * (UNITS - 1) / UNITS))
                more.append((floor.timed(messages) - least) / worst)
        rows += [Row(f"{name}: wire, from its first byte", 1 / 0.98, wire, bare),
                 Row(f"{name}: the whole, above the limit", 3.0, more,
                     unit="x", note=f"times {worst * 1000:.0f} ms")]
    return rows


def hogs(runs):
    """One write each while three other processes use all the processor that they get."""
    rows = []
    for granted in (True, False):
        with Floor() as floor:
            floor.start()
            floor.write()
            floor.granted = floor.grant(granted) and floor.granted
            busy = [subprocess.Popen(["chrt", "--other", "0", sys.executable, "-c",
                                      "while True: pass"]) for _ in range(3)]
            times, wire = [], []
            try:
                for _ in range(runs):
                    times.append(floor.timed(floor.write()) / limit_s([WRITE]))
                    wire.append(floor.wire_s(floor.jobs) / written_limit_s())
            finally:
                for child in busy:
                    child.kill()
                    child.wait()
            words = "as installed" if granted else "nothing granted"
            rows.append(Row(f"one write, three CPU hogs, {words}", 1.03 if granted else None, times,
                            note=f"on the wire alone {statistics.median(wire):.3f}"
                                 f"{'' if floor.granted else '; may not set priorities here'}"))
    return rows


def never_met(runs):
    """2 dead among 31, never met before: the 29 live ones written."""
    times = []
    for _ in range(min(runs, 3)):
        with Floor(sim=("--dead", "line0-15", "--dead", "line0-16")) as floor:
            floor.start()
            times.append(floor.timed(floor.write(), UNITS - 2, True) / limit_s([WRITE]))
    return [Row("2 dead, never met: the 29 written", 1.30, times)]


def known_dead(runs):
    """2 known dead: the 29 written, and all outcomes."""
    live, every = [], []
    with Floor(sim=("--dead", "line0-15", "--dead", "line0-16")) as floor:
        floor.start()
        floor.write()
        for _ in range(runs):
            messages = floor.write()
            live.append(floor.timed(messages, UNITS - 2, True) / limit_s([WRITE], UNITS - 2))
            every.append(max(message.after for message in messages))
    return [Row("2 known dead: the 29 written", 1.05, live),
            Row("2 known dead: all outcomes in", 1.0, every, unit=" s")]


def lossy(runs):
    """One request in twenty lost: what is left beside 0.12 for each loss."""
    values, losses, false = [], 0, 0
    with Floor(sim=("--drop", "5")) as floor:
        floor.start()
        floor.write()
        for _ in range(max(runs, 5)):
            before = floor.sim.dump()["lines"]["line0"]["lost"]
            messages = floor.write()
            seen = floor.sim.dump()
            lost = seen["lines"]["line0"]["lost"] - before
            took = max(message.after for message in messages) / limit_s([WRITE])
            values.append(took - 0.12 * lost)
            losses += lost
            for message in messages:
                holds = seen["devices"][message.topic.rsplit("/", 1)[1]]["holding"]["100"]
                good = message.json["status"] == "completed"
                false += good != (holds == floor.jobs)
    return [Row("one in twenty lost, less 0.12 for each loss", 1.02, values,
                note=f"{losses} lost, {false} false outcomes")]


def patch(runs):
    """10 adjacent points on each device by one twin patch."""
    points = "".join(f"p{n} = {{ holding = {300 + n}; verify = false; }}; " for n in range(10))
    with Floor(text=profile(points=points)) as floor:
        floor.start()
        floor.write()
        times = [floor.timed(floor.job(desired={f"p{n}": run * 10 + n + 1 for n in range(10)}))
                 / limit_s([WRITE_10]) for run in range(runs)]
        return [Row("10 adjacent points by one twin patch (FC16)", 1.05, times,
                    note=silence_note(floor))]


def write_read(runs):
    """A write and its read-back in one, where the devices have function 23."""
    text = profile(more="functions = [ 3, 4, 6, 16, 23 ];", checked="")
    with Floor(text=text) as floor:
        floor.start()
        floor.write()
        times = [floor.timed(floor.write("checked")) / limit_s([WRITE_READ])
                 for _ in range(runs)]
        return [Row("write and read-back by FC23", 1.04, times, note=silence_note(floor))]


def polled(runs):
    """One write each while polling would fill 58 % of the line."""
    least = limit_s([READ]) + 3.5 * 11 / 19200  # a round of polls
    points = f"watched = {{ holding = 400; poll = {least / 0.58:.3f}; }};"
    with Floor(text=profile(points=points)) as floor:
        floor.start()
        floor.write()
        time.sleep(2)  # every device was polled
        before = floor.sim.dump()["lines"]["line0"]["frames"]
        time.sleep(5)
        rate = (floor.sim.dump()["lines"]["line0"]["frames"] - before) / 5 * least / UNITS
        times = [floor.timed(floor.write()) / limit_s([WRITE]) for _ in range(runs)]
        return [Row("while polling would fill 58 % of the line", 1.06, times,
                    note=f"idle, polls fill {rate * 100:.0f} %; {silence_note(floor)}")]


def broadcast(runs):
    """One value for all 31 by one broadcast frame, then 31 read-backs."""
    least = broadcast_s(WRITE, 0.1) + limit_s([READ])
    with Floor(text=profile(checked="write_with = 6; broadcast = true;"),
               line_more="broadcast_ms = 100;") as floor:
        floor.start()
        floor.write()
        times, asked = [], 0
        for _ in range(runs):
            before = floor.broken()[1]
            times.append(floor.timed(floor.write("checked")) / least)
            asked = floor.broken()[1] - before
        return [Row("one value for all by broadcast, read back", 1.05, times,
                    note=f"{asked} frames a job, {silence_note(floor)}")]


def reboots(runs):
    """31 reboots: trigger, wait, expect."""
    rows = []
    for wait, silent_ms, goal in ((10.0, 9500, 11.5), (2.0, 10000, 12.5)):
        with Floor(text=profile(wait=wait), sim=("--reboot", str(silent_ms))) as floor:
            floor.start()
            floor.write()
            times = [floor.timed(floor.job("reboot"), may_fail=True)
                     for _ in range(min(runs, 2))]
            rows.append(Row(f"31 reboots, wait {wait:.0f} s, silent {silent_ms / 1000:.1f} s",
                            goal, times, unit=" s"))
    return rows


def crc(frame):
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return bytes((value & 255, value >> 8))


def judged(_):
    """What plain libmodbus makes of the transcripts that the adapter takes without a fault."""
    transcripts = sorted(str(path) for path in (ROOT / "tests" / "lines").glob("*.line"))
    told = subprocess.run([str(ROOT / "build" / "tests" / "bench" / "bare_judge"), *transcripts],
                          capture_output=True, text=True, timeout=60, check=True)
    counts = told.stdout.splitlines()[-1]
    wrong = [int(number) for number in re.findall(r"(\d+) (?:wrong|false succ)", counts)]
    played = subprocess.run([str(ROOT / "build" / "tests" / "unit" / "test_transcripts")],
                            capture_output=True, text=True, timeout=60)
    failed = re.findall(r"(\d+) FAILED TEST", played.stdout + played.stderr)
    ours = int(failed[0]) if failed else 0
    return [Row("wrong values and false successes in transcripts", 0, [ours], bare=sum(wrong),
                note=f"bare libmodbus: {counts}")]


def first_byte(runs):
    """From publishing to the first byte on an idle line: a pty of our own tells when."""
    from world import LEARNED, World, devices, rtu
    master, slave = os.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    seen = []

    def answer():
        while True:
            try:
                frame = os.read(master, 256)
            except OSError:
                return
            seen.append(time.monotonic())
            time.sleep(0.005)
            os.write(master, frame)  # function 6: the answer is the request

    with World() as world:
        broker = world.broker()
        config = world.site([rtu("line0", port=os.ttyname(slave), mode="8N2", more=LEARNED)],
                            [devices("room-#", "line0", "1-1", "bench")], [profile()], broker)
        threading.Thread(target=answer, daemon=True).start()
        world.gateway(config)
        backend = world.backend(broker)
        backend.online()
        times = []
        for number in range(max(20, runs)):
            seen.clear()
            begun = time.monotonic()
            backend.submit(f"j{number}", type="scheduleDeviceMethod", queryCondition="*",
                           cloudToDeviceMethod={"methodName": "plain",
                                                "payload": {"value": number}})
            backend.share(f"j{number}")
            times.append((seen[0] - begun) * 1000)
            time.sleep(0.05)
        probe = os.open(world.folder, os.O_TMPFILE | os.O_WRONLY)
        commits = []
        for _ in range(20):
            begun = time.monotonic()
            os.pwrite(probe, b"x" * 4096, 0)
            os.fsync(probe)
            commits.append((time.monotonic() - begun) * 1000)
        os.close(probe)
    os.close(slave)
    os.close(master)
    commit = statistics.median(commits)
    return [Row("publish to first byte on an idle line", 1.5 + commit, times, unit=" ms",
                note=f"one fsync here: {commit:.2f} ms")]


def calls(runs):
    """Calls to a healthy device of a line with two dead ones and a job that keeps running."""
    with Floor(sim=("--dead", "line0-15", "--dead", "line0-16")) as floor:
        floor.start()
        floor.write()
        stop = threading.Event()

        def keep_busy():
            number = 0
            while not stop.is_set():
                number += 1
                floor.backend.submit(f"busy-{number}", type="scheduleDeviceMethod",
                                     queryCondition="deviceId != 'line0-01'",
                                     cloudToDeviceMethod={"methodName": "plain",
                                                          "payload": {"value": number}})
                stop.wait(0.5)

        busy = threading.Thread(target=keep_busy)
        busy.start()
        times = []
        for number in range(20 * runs):
            begun = time.monotonic()
            told = floor.backend.call("line0-01", "plain", {"value": number})
            times.append((time.monotonic() - begun) * 1000)
            if told["status"] != 200:
                raise SystemExit(f"bench: {told}")
            time.sleep(0.02)
        stop.set()
        busy.join()
        for number in range(1, 100):
            try:
                floor.backend.share(f"busy-{number}", limit=0.01)
            except AssertionError:
                break
    times.sort()
    return [Row("call beside a job and two dead: 99th percentile", None,
                [times[int(len(times) * 0.99)]], unit=" ms",
                note=f"median {statistics.median(times):.1f} ms; a transaction 18.2 ms, "
                     "a probe 40 ms")]


def idle(_):
    """What wakes up while nothing is asked; Paho's two threads apart."""
    with Floor(lines=8) as floor:
        floor.start()
        floor.write()
        time.sleep(2)
        before = wakes(floor.pid)
        used = cpu_s(floor.pid)
        time.sleep(10)
        after = wakes(floor.pid)
        told = {name: (count - before.get(name, 0)) / 10 for name, count in after.items()}
        lines = sum(count for name, count in told.items() if name.startswith("line"))
        return [Row("idle, 8 lines: wakes a second of the lines", 0, [lines], unit="/s",
                    note=f"loop {told.get('jobgate', 0):.1f}/s, all {sum(told.values()):.1f}/s, "
                         f"processor {(cpu_s(floor.pid) - used) * 10:.2f} %")]


def memory_of(lines, units):
    from world import until
    with Floor(lines=lines, units=units, tcp=True) as floor:
        floor.start()
        time.sleep(3)  # the birth messages of all devices are through
        memory = private_kb(floor.pid)
        begun = time.monotonic()
        floor.backend.submit("all", type="scheduleDeviceMethod", queryCondition="*",
                             cloudToDeviceMethod={"methodName": "plain",
                                                  "payload": {"value": 7}})
        share = floor.backend.wait(
            "jobs/all/gateways/building-43",
            lambda message: message.json.get("deviceJobStatistics", {}).get("deviceCount", 0))
        accepted = share.at - begun
        api = floor.world.api(floor.gateway)
        until(lambda: api.get("/jobgate/v1/status")[2]["jobs"]["active"] == 0, 60, pause=0.5)
        floor.backend.share("all")  # nothing of it was dropped on the way
        until(lambda: len(floor.backend.outcomes("all")) == lines * units, 60, pause=0.5)
        return memory, floor.gateway.ready_s, accepted, private_kb(floor.pid)


def ten_thousand(_):
    """10,000 devices on 64 Modbus TCP lines, and how each figure grows from 100 on."""
    floor, *_ = memory_of(4, UNITS)
    grown = {lines * units: memory_of(lines, units)
             for lines, units in ((1, 100), (8, 125), (64, 157))}
    (small, *_), (memory, ready, accepted, after) = grown[100], grown[64 * 157]
    each = (memory - small) / (64 * 157 - 100)

    def growth(which, scale=1):
        return ", ".join(f"{count:,}: {found[which] * scale:.3g}" for count, found in grown.items())
    return [Row("10,048 devices on 64 lines: start", 2.0, [ready], unit=" s",
                note=growth(1)),
            Row("10,048 devices: job accepted and planned", 0.5, [accepted], unit=" s",
                note=growth(2)),
            Row("memory of a device, from 100 to 10,048", 2.0, [each], unit=" KB",
                note=f"KB in all: {growth(0)}; {after} after the job"),
            Row("memory of a site of 124 devices", 4.0, [floor / 1024], unit=" MB")]


def condition(runs):
    """A condition over 10,000 devices, beside a hundred frames."""
    asked = ("tags.floor = 3 AND tags.building IN [43, 44] AND NOT (deviceId = 'line0-01') "
             "AND properties.reported.value.value > 100000")
    frame_ms = 8 * 11 / 19200 * 1000
    with Floor(lines=64, units=157, tcp=True) as floor:
        floor.start()
        floor.write()  # each twin says something
        api = floor.world.api(floor.gateway)
        times = []
        for where in [asked] * runs:
            begun = time.monotonic()
            status, _, rows = api.ask("POST", "/devices/query",
                                      {"query": f"SELECT * FROM devices WHERE {where}"})
            times.append((time.monotonic() - begun) * 1000)
            assert (status, rows) == (200, []), rows
        return [Row("a condition over 10,048 devices", 100 * frame_ms, times, unit=" ms",
                    note=f"a frame at 19200 baud takes {frame_ms:.1f} ms; with the question's way "
                         "through the API")]


ROWS = [plain, checked, many_lines, written, slow_disk, hogs, never_met, known_dead, lossy, polled,
        patch, write_read, broadcast, reboots, judged, first_byte, calls, idle, rest, slow_baud, fast_baud, ten_thousand,
        condition]
