"""A site that is read on a card that is slow, or hangs: beside the loop, one at a time, none lost."""
import signal
import threading
import time

import pytest

from manager import Manager
from test_240_faults import PLAIN, SHIM, Wishes
from world import PATIENCE, ROOM, devices, rtu, until

pytestmark = pytest.mark.skipif(SHIM is None, reason="tests/faults was not built")


class Floor:
    """Three rooms of nine, and a card that the test may hold."""

    def __init__(self, world, manager=None, watchdog=False):
        self.world, self.wishes = world, Wishes(world.folder)
        whole = world.site([rtu("floor3")], [devices("room-#", "floor3", "1-9")], [ROOM],
                           name="whole")
        self.sim = world.sim(whole)
        self.write(3)
        env = {"NOTIFY_SOCKET": str(manager.path)} if manager else {}
        if watchdog:
            env["WATCHDOG_USEC"] = "1000000"
        self.gateway = world.gateway(self.config, "--lines", self.sim.lines, wait=not manager,
                                     env={**self.wishes.env, **env}, program=PLAIN)
        if manager:
            assert manager.hears("READY=1", PATIENCE)
        self.api = world.api(self.gateway)
        until(lambda: self.api.call("room-1", "setComfort", {"setpoint": 20})[0] == 200)

    def write(self, rooms, more=""):
        self.config = self.world.site([rtu("floor3", more=more)],
                                      [devices("room-#", "floor3", f"1-{rooms}")], [ROOM])

    def hang_up(self):
        self.gateway.child.send_signal(signal.SIGHUP)

    def reads_and_hangs(self):
        self.wishes.wish(held=1)
        self.hang_up()
        until(self.wishes.waiting, what="a profile is read")

    def site(self):
        return self.api.get("/jobgate/v1/status")[2]["site"]

    def rooms(self):
        return len(self.api.get("/devices")[2])


@pytest.fixture
def floor(world):
    return Floor(world)


def test_everything_goes_on_while_the_card_hangs(world):
    with Manager(world.folder) as manager:
        floor = Floor(world, manager, watchdog=True)
        floor.write(4)
        before = time.monotonic_ns() // 1000
        floor.reads_and_hangs()
        told = dict(line.split("=", 1) for line in manager.message("RELOADING=1", PATIENCE).split("\n"))
        assert before <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert floor.site()["pending"]
        assert floor.api.call("room-1", "setComfort", {"setpoint": 21})[0] == 200
        assert all(manager.hears("WATCHDOG=1", PATIENCE) for _ in range(3))
        assert floor.rooms() == 3
        floor.wishes.wish(held=0)
        assert manager.hears("READY=1", PATIENCE)
        assert floor.rooms() == 4


def test_what_changes_while_a_site_is_read_is_read_after_it(floor):
    floor.write(4)
    floor.reads_and_hangs()
    floor.write(5)
    floor.hang_up()
    answers = [None, None]

    def ask(number):
        answers[number] = floor.world.command("reload", "--socket", floor.gateway.socket)

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in asking:
        thread.start()
    assert floor.rooms() == 3 and floor.site()["reloads"] == 0
    floor.wishes.wish(held=0)
    for thread in asking:
        thread.join()
    assert [(answer.returncode, answer.stdout) for answer in answers] == \
        [(0, "the new site runs\n")] * 2, answers
    assert floor.rooms() == 5
    until(lambda: not floor.site()["pending"])
    assert floor.rooms() == 5


def test_a_refused_site_ends_a_reload_as_well(world):
    with Manager(world.folder) as manager:
        floor = Floor(world, manager)
        good = floor.config.read_text()
        floor.config.write_text(good.replace("unit", "unitt"))
        floor.hang_up()
        assert manager.hears("RELOADING=1", PATIENCE)
        assert manager.hears("READY=1", PATIENCE)
        assert floor.site()["refused"] == 1 and floor.rooms() == 3


def test_a_site_that_waits_for_tasks_is_no_reload_under_way(world):
    with Manager(world.folder) as manager:
        floor = Floor(world, manager)
        status, _, text = floor.api.submit(
            "slow", type="scheduleDeviceMethod", queryCondition="deviceId = 'room-3'",
            cloudToDeviceMethod={"methodName": "stay"})
        assert status == 200, text
        until(lambda: floor.sim.device("room-3")["written"] == 1, what="it has begun")
        floor.write(2)
        floor.hang_up()
        assert manager.hears("RELOADING=1", PATIENCE)
        assert "A new site waits for room-3" in manager.message("READY=1", PATIENCE)
        until(lambda: floor.rooms() == 2, what="the new site runs")


def test_a_stop_waits_for_no_card(floor):
    floor.write(4)
    floor.reads_and_hangs()
    assert floor.gateway.stop() == 0, floor.gateway.text()


def test_a_stop_just_before_the_site_is_read_is_clean(floor):
    floor.write(4)
    floor.reads_and_hangs()
    floor.gateway.child.terminate()
    floor.wishes.wish(held=0)
    assert floor.gateway.child.wait(PATIENCE) == 0, floor.gateway.text()
