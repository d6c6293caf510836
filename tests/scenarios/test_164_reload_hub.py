"""Devices of IoT Hub come and go with the site; the others' connections stay what they are."""
import threading

import pytest

from hub import Hub, HubError, derive, iothub_group
from world import ROOM, devices, free_port, rtu, until


class Rooms:
    """As many rooms as there are units; the gateway's site has some of them."""

    def __init__(self, world, units, most=8, own_keys=False):
        self.world = world
        self.hub = Hub(world.tls(), free_port())
        world._ends.callback(self.hub.close)
        self.names = [f"room-{n}" for n in range(1, most + 1)]
        self.hub.add(*self.names)
        own = {"auth": "device-keys", "key_text": "\n".join(
            f"{name} {derive(self.hub.group_key, name)}" for name in self.names)} if own_keys else {}
        self.group = iothub_group(self.hub, world.folder, "connect_per_s = 100;", **own)
        self.key_file = next(world.folder.glob("iothub-*.key"))
        line = rtu("bus")
        whole = world.site([line], [devices("room-#", "bus", f"1-{most}")], [ROOM], name="whole")
        self.sim = world.sim(whole)
        self.write = lambda some: setattr(self, "config", world.site(
            [line], [devices("room-#", "bus", some)], [ROOM], self.group))
        self.write(units)
        self.gateway = world.gateway(self.config, "--lines", self.sim.lines)
        self.api = world.api(self.gateway)

    def reload(self, units):
        self.write(units)
        told = self.world.command("reload", "--socket", self.gateway.socket)
        assert told.returncode == 0, told.stderr

    def wait(self, first, last):
        names = sorted(f"room-{n}" for n in range(first, last + 1))
        until(lambda: self.hub.connected() == names, what=f"connected are {names}")

    def connects(self, first, last):
        return [self.hub.identities[f"room-{n}"].connects for n in range(first, last + 1)]

    def status(self):
        return self.api.get("/jobgate/v1/status")[2]["iothub"]


def test_only_new_devices_connect_and_those_that_are_gone_leave(world):
    rooms = Rooms(world, "1-4")
    rooms.wait(1, 4)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(rooms.hub.call("room-2", "linger")))
    caller.start()
    until(lambda: rooms.sim.device("room-2")["written"] >= 1, what="it has begun")
    rooms.reload("2-6")
    rooms.wait(2, 6)
    caller.join()
    assert answers and answers[0][0] == 200
    assert rooms.connects(1, 6) == [1] * 6
    assert rooms.hub.call("room-6", "setComfort", {"setpoint": 22})[0] == 200
    assert rooms.hub.call("room-3", "setComfort", {"setpoint": 22})[0] == 200
    with pytest.raises(HubError):
        rooms.hub.call("room-1", "setComfort", {"setpoint": 22})
    until(lambda: (rooms.status()["devices"], rooms.status()["connected"]) == (5, 5))
    assert rooms.hub.violations == []


def test_a_device_that_comes_back_has_its_twin(world):
    rooms = Rooms(world, "1-2")
    rooms.wait(1, 2)
    rooms.hub.patch("room-1", {"setpoint": 21.5})
    until(lambda: rooms.hub.reported("room-1").get("setpoint", {}).get("value") == 21.5)
    version = rooms.hub.reported("room-1")["setpoint"]["av"]
    rooms.reload("2-3")
    rooms.wait(2, 3)
    rooms.hub.patch("room-1", {"setpoint": 22.5})
    rooms.reload("1-3")
    rooms.wait(1, 3)
    until(lambda: rooms.hub.reported("room-1").get("setpoint", {}).get("value") == 22.5)
    assert rooms.hub.reported("room-1")["setpoint"]["av"] == version + 1
    assert rooms.connects(1, 3) == [2, 1, 1]
    assert rooms.hub.violations == []


def test_other_keys_connect_only_whose_they_are(world):
    rooms = Rooms(world, "1-3", own_keys=True)
    rooms.wait(1, 3)
    keys = rooms.key_file.read_text()
    rooms.hub.identities["room-2"].key = derive(rooms.hub.group_key, "another")
    rooms.key_file.write_text(keys.replace(derive(rooms.hub.group_key, "room-2"),
                                           derive(rooms.hub.group_key, "another")))
    rooms.reload("1-3")
    until(lambda: rooms.connects(2, 2) == [2], what="room-2 connects by its new key")
    rooms.wait(1, 3)
    assert rooms.connects(1, 3) == [1, 2, 1]
    assert rooms.hub.call("room-2", "setComfort", {"setpoint": 22})[0] == 200
    assert rooms.hub.refusals == [] and rooms.hub.violations == []


def test_many_reloads_leave_who_stays_alone(world):
    rooms = Rooms(world, "1-4")
    rooms.wait(1, 4)
    for n in range(30):
        rooms.reload(f"{1 + n % 4}-{5 + n % 3}")
    rooms.reload("3-7")
    rooms.wait(3, 7)
    assert rooms.connects(4, 4) == [1]
    for n in (3, 4, 7):
        assert rooms.hub.call(f"room-{n}", "setComfort", {"setpoint": 20 + n / 10})[0] == 200
    assert rooms.hub.violations == []
    assert rooms.gateway.stop() == 0, rooms.gateway.text()


def test_a_site_that_grows_many_times_over_is_connected_anew(world):
    rooms = Rooms(world, "1-1", most=80)
    rooms.wait(1, 1)
    rooms.reload("1-80")
    rooms.wait(1, 80)
    assert rooms.hub.call("room-80", "setComfort", {"setpoint": 21})[0] == 200
    assert rooms.hub.call("room-1", "setComfort", {"setpoint": 21})[0] == 200
