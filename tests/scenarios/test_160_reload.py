"""Another site for a running gateway: checked first, taken over without losing a task."""
import contextlib
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from test_240_faults import PLAIN
from world import PROGRAM, ROOM, devices, rtu, until

FLOOR = devices("room-#", "floor3", "1-9")


class Floor:
    """One line with nine rooms; the gateway's own site begins with room-1 to room-6."""

    def __init__(self, world, units="1-6", options=(), program=PROGRAM):
        self.world = world
        self.broker = world.broker()
        whole = world.site([rtu("floor3"), rtu("floor4")],
                           [FLOOR, devices("hall-#", "floor4", "1-2")], [ROOM], name="whole")
        self.sim = world.sim(whole, *options)
        self.write([devices("room-#", "floor3", units)])
        self.gateway = world.gateway(self.config, "--lines", self.sim.lines,
                                     program=program)
        self.api = world.api(self.gateway)
        self.backend = world.backend(self.broker)
        self.backend.online()
        self.gateway.wait_for("line floor3: up")

    def write(self, rooms, lines=None, profiles=(ROOM,), more=""):
        lines = lines or [rtu("floor3", more=more)]
        self.config = self.world.site(lines, rooms, list(profiles), self.broker)

    def reload(self):
        return self.world.command("reload", "--config", self.config)

    def site(self):
        return self.api.get("/jobgate/v1/status")[2]["site"]

    def ids(self):
        return {device["deviceId"] for device in self.api.get("/devices")[2]}

    def ports(self):
        """The descriptors that the gateway has of pseudo-terminals, each with its inode."""
        found = {}
        for entry in pathlib.Path(f"/proc/{self.gateway.child.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # others come and go
                to = os.readlink(entry)
                if to.startswith("/dev/pts/"):
                    found[entry.name] = (to, os.stat(entry).st_ino)
        return found

    def job(self, job_id, method="linger", condition="*"):
        status, _, text = self.api.submit(job_id, type="scheduleDeviceMethod",
                                          queryCondition=condition,
                                          cloudToDeviceMethod={"methodName": method})
        assert status == 200, text


def test_a_reload_in_the_middle_of_a_job_loses_and_doubles_nothing(world):
    floor = Floor(world)
    ports = floor.ports()
    floor.job("floor")
    until(lambda: floor.api.job("floor")["deviceJobStatistics"]["pendingCount"] < 6, what="it runs")
    floor.write([devices("room-#", "floor3", "2-7")])
    told = floor.reload()
    assert (told.returncode, told.stdout) == (0, "the new site runs\n"), told.stderr
    assert floor.ids() == {f"room-{n}" for n in range(2, 8)}
    assert floor.ports() == ports
    assert floor.gateway.text().count("line floor3: up") == 1
    floor.api.finished("floor")
    outcomes = floor.api.outcomes("floor")
    assert set(outcomes) == {f"room-{n}" for n in range(1, 7)}
    ended = {name: row["error"]["code"] for name, row in outcomes.items() if "error" in row}
    # room-1 had begun, and finished; or it had not, and is gone.
    assert ended in ({}, {"room-1": "UnknownDevice"})
    for n in range(2, 7):
        assert floor.sim.device(f"room-{n}")["written"] == 2, n
    assert floor.sim.device("room-7")["written"] == 0
    floor.backend.share("floor")  # behind all outcomes
    assert len(floor.backend.all("jobs/floor/outcomes/")) == 6


def test_a_new_device_answers_on_every_link_and_a_removed_one_nowhere(world):
    floor = Floor(world)
    floor.backend.wait("devices/room-1/state")
    assert floor.api.write("room-1", setpoint=21)[0] == 200
    floor.backend.forget()
    floor.write([devices("room-#", "floor3", "2-7")])
    assert floor.reload().returncode == 0
    assert floor.api.call("room-7", "setComfort", {"setpoint": 22})[0] == 200
    until(lambda: floor.api.get("/jobgate/v1/status")[2]["broker"]["connected"], what="connected")
    assert floor.backend.call("room-7", "setComfort", {"setpoint": 23})["status"] == 200
    assert floor.sim.device("room-7")["holding"]["100"] == 230
    assert floor.api.get("/devices/room-1")[0] == 404
    floor.backend.wait("devices/room-1/state", lambda message: message.payload == "")
    late = world.backend(floor.broker)  # what is retained
    late.wait("devices/room-7/state")
    assert not [message for message in late.all("devices/room-1/") if message.payload]


def test_a_bad_site_changes_nothing_and_names_the_line(world):
    floor = Floor(world)
    before = floor.config.read_text()
    floor.config.write_text(before.replace('unit', 'unitt'))
    told = floor.reload()
    assert told.returncode == 2
    line = before[:before.index("devices =")].count("\n") + 1
    assert f"{floor.config}:{line}: " in told.stderr and "unitt" in told.stderr
    floor.gateway.child.send_signal(signal.SIGHUP)
    floor.gateway.wait_for("the site that runs stays as it is")
    assert f"{floor.config}:{line}: " in floor.gateway.text()
    assert floor.api.call("room-1", "setComfort", {"setpoint": 20})[0] == 200
    assert floor.site()["refused"] >= 1


@pytest.mark.parametrize("old, new, key", [
    ('id = "building-43"', 'id = "building-44"', "gateway.id"),
    ("/state", "/elsewhere", "gateway.state"),
    ("jobgate.sock", "other.sock", "api.socket")])
def test_what_takes_a_restart_is_refused_with_a_sentence(world, old, new, key):
    floor = Floor(world)
    floor.config.write_text(floor.config.read_text().replace(old, new, 1))
    told = world.command("reload", "--socket", floor.gateway.socket)
    assert told.returncode == 2
    assert re.search(rf"jobgate.conf:\d+: {key} is ", told.stderr), told
    assert "systemctl restart jobgate" in told.stderr


def test_a_key_file_that_is_gone_refuses_the_reload(world):
    floor = Floor(world)
    floor.config.write_text(floor.config.read_text().replace(
        "broker = {", 'broker = { username = "u"; password_file = "/nowhere/at-all";'))
    told = floor.reload()
    assert told.returncode == 2
    assert "/nowhere/at-all" in told.stderr
    assert floor.api.get("/jobgate/v1/status")[2]["broker"]["connected"]


def test_what_has_begun_on_a_removed_device_is_waited_for(world):
    floor = Floor(world)
    floor.job("slow", "stay", "deviceId = 'room-1'")
    until(lambda: floor.sim.device("room-1")["written"] >= 1, what="it has begun")
    floor.write([devices("room-#", "floor3", "2-7")])
    floor.gateway.child.send_signal(signal.SIGHUP)
    floor.gateway.wait_for("has begun there has ended: room-1")
    assert floor.site()["waitsFor"] == "room-1"
    assert "room-1" in floor.ids()
    assert floor.api.call("room-2", "setComfort", {"setpoint": 20})[0] == 200
    until(lambda: "room-7" in floor.ids(), what="the new site runs")
    assert floor.api.outcomes("slow")["room-1"]["status"] == "completed"
    assert floor.sim.device("room-1")["written"] == 2


def test_only_a_line_whose_own_keys_changed_is_opened_again(world):
    floor = Floor(world)
    lines = [rtu("floor3"), rtu("floor4")]
    both = [devices("room-#", "floor3", "1-6"), devices("hall-#", "floor4", "1-2")]
    ports = floor.ports()
    floor.write(both, lines)
    assert floor.reload().returncode == 0
    floor.gateway.wait_for("line floor4: up")
    assert ports.items() <= floor.ports().items()
    assert floor.api.call("hall-1", "setComfort", {"setpoint": 21})[0] == 200
    floor.write(both, [rtu("floor3"), rtu("floor4", baud=38400)])
    assert floor.reload().returncode == 0
    until(lambda: floor.gateway.text().count("line floor4: up") == 2, what="it is open again")
    assert ports.items() <= floor.ports().items()
    assert floor.api.call("hall-1", "setComfort", {"setpoint": 22})[0] == 200
    floor.write([devices("room-#", "floor3", "1-6")], [rtu("floor3", more="retries = 1;")])
    assert floor.reload().returncode == 0
    assert floor.gateway.text().count("line floor3: up") == 1
    until(lambda: floor.ports() == ports, what="floor4's port is given back")


def test_a_profile_may_change_while_its_devices_work(world):
    floor = Floor(world)
    floor.job("first")
    until(lambda: floor.sim.device("room-1")["written"] >= 1, what="it has begun")
    floor.write([devices("room-#", "floor3", "1-6")],
                profiles=[ROOM.replace("max = 30.0", "max = 25.0")])
    told = floor.reload()
    assert told.returncode == 0, told.stderr
    assert floor.api.finished("first")["deviceJobStatistics"]["succeededCount"] == 6
    assert floor.api.write("room-1", setpoint=28)[0] == 400
    assert floor.api.write("room-1", setpoint=24)[0] == 200


def test_only_beside_the_gateway_may_it_be_asked_for(world):
    floor = Floor(world)
    status, _, answer = floor.api.ask("POST", "/jobgate/v1/reload")
    assert (status, answer["taken"], answer["problems"]) == (200, True, [])
    assert world.command("reload", "--socket", world.folder / "nobody").returncode == 3


def resident_kb(gateway):
    for line in pathlib.Path(f"/proc/{gateway.child.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def test_a_hundred_reloads_under_load_lose_nothing_and_keep_the_memory_level(world):
    floor = Floor(world, program=PLAIN)  # the sanitizers' own memory follows the load
    stop, bad = threading.Event(), []

    def call():
        while not stop.is_set():
            status, payload = floor.api.call("room-2", "setComfort", {"setpoint": 20})
            if status != 200:
                bad.append(payload)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        sizes, n = [], 0
        # What is kept for a while grows with the calls that a busy machine finds time for: only
        # what grows with each reload never stops to.
        while n < 100 or (sizes[-1] - sizes[-2] >= 2048 and n < 380):
            floor.write([devices("room-#", "floor3", f"2-{7 + n % 3}")],
                        more=f"retries = {1 + n % 2};")
            status, _, answer = floor.api.ask("POST", "/jobgate/v1/reload")
            assert status == 200, answer
            until(lambda: not floor.site()["pending"], what="it is taken over")
            n += 1
            if n % 35 == 30:
                sizes.append(resident_kb(floor.gateway))
    finally:
        stop.set()
        caller.join()
    assert not bad
    assert floor.site()["reloads"] == n
    assert sizes[-1] - sizes[-2] < 2048, sizes
    assert floor.gateway.text().count("line floor3: up") == 1
    assert floor.gateway.stop() == 0, floor.gateway.text()


def test_a_storm_of_signals_is_weathered(world):
    floor = Floor(world)
    floor.job("storm")
    for n in range(200):
        floor.write([devices("room-#", "floor3", f"1-{6 + n % 3}")])
        floor.gateway.child.send_signal(signal.SIGHUP)
        time.sleep(0.005)
    floor.write([devices("room-#", "floor3", "1-8")])
    floor.gateway.child.send_signal(signal.SIGHUP)
    until(lambda: len(floor.ids()) == 8 and not floor.site()["pending"], what="the last one runs")
    assert floor.api.finished("storm")["deviceJobStatistics"]["succeededCount"] == 6
    for n in range(1, 7):
        assert floor.sim.device(f"room-{n}")["written"] == 2, n
    assert floor.gateway.stop() == 0, floor.gateway.text()


def test_what_is_said_to_a_removed_device_does_not_arrive_any_more(world):
    floor = Floor(world)
    floor.write([devices("room-#", "floor3", "2-7")])
    assert floor.reload().returncode == 0
    until(lambda: "UNSUBSCRIBE" in floor.broker.text(), what="its subscriptions are dropped")
    floor.backend.publish("devices/room-1/desired", {"setpoint": 21})
    assert floor.backend.call("room-2", "setComfort", {"setpoint": 20})["status"] == 200
    told = floor.broker.text().split("UNSUBSCRIBE", 1)[1]
    assert "jobgate/v1/devices/room-1/methods/#" in told
    sent = [line for line in told.splitlines() if "Sending PUBLISH to building-43" in line]
    assert not [line for line in sent if "/room-1/desired" in line]
