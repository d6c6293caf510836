"""What 250 devices cost while nothing is asked: memory, processor, wake-ups, writing, and the start."""
import os
import pathlib
import time

from floor import Floor, private_kb, profile, wakes

LINES, UNITS, SECONDS = 10, 25, float(os.environ.get("JOBGATE_REST_S", "30"))
POLL = "watched = { input = 40; poll = 30.0; };"


def resident_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("\nVmRSS:")[1].split()[0])


def cpu_ns(pid):
    """Exact where the kernel counts it; ticks of 10 ms would be all or nothing here."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def written(pid):
    """Bytes that went to disk, or will."""
    text = pathlib.Path(f"/proc/{pid}/io").read_text()
    return int(text.split("\nwrite_bytes:")[1].split()[0])


class Rested:
    """Figures of one gateway that nobody asks for anything."""

    def __init__(self, poll):
        with Floor(lines=LINES, units=UNITS, text=profile(points=POLL if poll else "")) as floor:
            floor.start()
            time.sleep(5)  # births, states and first polls are through
            pid = floor.pid
            before, used, bytes_before = wakes(pid), cpu_ns(pid), written(pid)
            begun = time.monotonic()
            time.sleep(SECONDS)
            took = time.monotonic() - begun
            self.ready_ms = floor.gateway.ready_s * 1000
            self.private_mb, self.resident_mb = private_kb(pid) / 1024, resident_kb(pid) / 1024
            self.cpu = (cpu_ns(pid) - used) / took / 1e7
            self.mb_a_day = (written(pid) - bytes_before) / took * 86400 / 1e6
            self.wakes = {name: (count - before.get(name, 0)) / took
                          for name, count in wakes(pid).items()}


def rest(_):
    """250 devices at rest: memory, processor, wake-ups, bytes written, time to be ready."""
    from rows import Row
    from world import PROGRAM
    emulated = PROGRAM.read_bytes()[:2] == b"#!"  # memory and time are the emulator's then
    found = []
    for poll in (False, True):
        name, told = ("polled each 30 s" if poll else "at rest"), Rested(poll)
        lines = sum(count for thread, count in told.wakes.items() if thread.startswith("line"))
        loop = told.wakes.get("jobgate", 0)

        def goal(value):
            return None if poll or emulated else value
        found += [
            Row(f"250 devices {name}: private", goal(5.0), [told.private_mb], unit=" MiB"),
            Row(f"250 devices {name}: resident", goal(16.0), [told.resident_mb], unit=" MiB"),
            Row(f"250 devices {name}: processor", goal(0.1), [told.cpu], unit=" %"),
            Row(f"250 devices {name}: wake-ups", None, [sum(told.wakes.values())], unit="/s",
                note=f"loop {loop:.2f}/s, lines {lines:.2f}/s, "
                     + ", ".join(f"{thread} {count:.2f}/s" for thread, count in
                                 sorted(told.wakes.items())
                                 if thread != "jobgate" and not thread.startswith("line"))),
            Row(f"250 devices {name}: written a day", goal(5.0), [told.mb_a_day], unit=" MB"),
            Row(f"250 devices {name}: ready after", goal(100.0), [told.ready_ms], unit=" ms")]
    return found
