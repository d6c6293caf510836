"""Twins of the hub beside other sources, and what is refused whole: nothing ends in silence."""
import time

import pytest

from hub import Hub, iothub_group
from world import PATIENCE, PATIENT, ROOM, World, broker_group, devices, free_port, rtu, until

NESTED = ROOM.replace("hint        = { holding = 120;", 'hint = { property = "limits.soft.hint"; holding = 120;')


class Room:
    """One room behind a hub, a broker and the API."""

    def __init__(self, world, more=""):
        self.world = world
        self.hub = Hub(world.tls(), free_port())
        world._ends.callback(self.hub.close)
        self.hub.add("room-1")
        broker = world.broker()
        self.backend = world.backend(broker)
        group = broker_group(broker, world.folder) + iothub_group(
            self.hub, world.folder, f"connect_per_s = 100; {more}")
        self.config = world.site([rtu("bus", more=PATIENT)],
                                 [devices("room-1", "bus", 1)], [NESTED], group)
        self.sim = world.sim(self.config)
        self.start()

    def start(self):
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines)
        until(lambda: self.hub.connected() == ["room-1"])

    def start_and_settle(self):
        """The document was asked for, and what it brought was begun."""
        asked = self.gets()
        self.start()
        until(lambda: self.gets() > asked)
        time.sleep(1)

    def gets(self):
        return [kind for _, _, kind in self.hub.twin_requests].count("get")

    def holds(self, address=100):
        return self.sim.device("room-1")["holding"].get(str(address))

    def ack(self, path, **wanted):
        def is_there():
            ack = self.hub.reported("room-1")
            for part in path.split("."):
                ack = ack.get(part) or {}
            return ack if ack and all(ack.get(key) == value for key, value in wanted.items()) else None
        return until(is_there, what=f"{path} is acknowledged with {wanted}: {self.hub.reported('room-1')}")


@pytest.fixture(scope="module")
def room():
    with World() as world:
        room = Room(world)
        yield room
        assert room.hub.violations == [], world.logs()
        assert room.gateway.stop() == 0, room.gateway.text()


def test_each_source_keeps_its_own_versions_over_a_restart(room):
    hub = room.hub
    version = hub.patch("room-1", {"setpoint": 20.0})
    room.ack("setpoint", ac=200, av=version, value=20.0)
    room.backend.publish("devices/room-1/desired", {"setpoint": 21.0, "$version": 700})
    room.backend.wait("devices/room-1/reported", lambda message: message.json.get(
        "setpoint", {}).get("av") == 700)
    assert room.ack("setpoint", value=21.0)["ac"] == 203  # not what the hub asked for
    assert room.ack("setpoint", value=21.0)["av"] == 0
    version = hub.patch("room-1", {"mode": "cool"})
    room.ack("mode", ac=200, av=version)
    assert room.gateway.stop() == 0

    written = room.sim.device("room-1")["written"]
    room.start_and_settle()
    assert room.holds() == 210, "the hub's older value came back over the broker's"
    assert room.sim.device("room-1")["written"] == written
    room.backend.publish("devices/room-1/desired", {"setpoint": 23.0, "$version": 700})  # known
    version = hub.patch("room-1", {"setpoint": 22.0})
    room.ack("setpoint", ac=200, av=version, value=22.0)
    assert room.holds() == 220
    assert room.ack("mode", ac=200)["av"] == version - 1
    status, _, twin = room.world.api(room.gateway).ask(
        "PATCH", "/twins/room-1", {"properties": {"desired": {"setpoint": 24.5}}})
    assert status == 200
    assert room.ack("setpoint", value=24.5)["av"] == 0
    own = room.world.api(room.gateway).get("/twins/room-1")[2]["properties"]
    assert own["reported"]["setpoint"]["av"] == own["desired"]["$version"]


def test_a_missed_patch_is_all_that_a_restart_applies(room):
    version = room.hub.patch("room-1", {"setpoint": 18.0})
    room.ack("setpoint", ac=200, av=version)
    assert room.gateway.stop() == 0
    version = room.hub.patch("room-1", {"mode": "heat"})
    written = room.sim.device("room-1")["written"]
    room.start()
    room.ack("mode", ac=200, av=version, value="heat")
    assert room.sim.device("room-1")["written"] == written + 1


def test_a_nested_property_is_acknowledged_where_it_stands(room):
    version = room.hub.patch("room-1", {"limits": {"soft": {"hint": 40, "nonsense": 1}, "hard": 2}})
    assert room.ack("limits.soft.hint", ac=200, av=version)["value"] == 40
    assert room.ack("limits.soft.nonsense", av=version)["ac"] == 404
    assert room.ack("limits.hard", av=version)["ac"] == 404
    assert room.holds(120) == 40
    room.hub.patch("room-1", {"limits": None})
    until(lambda: not room.hub.reported("room-1").get("limits", {}).get("soft", {}).get("hint"),
          what="the acknowledgement goes")
    assert room.holds(120) == 40


@pytest.mark.parametrize("value", [[1, 2], {"deep": {"deeper": 1}}, "warm", True, 1e300])
def test_a_bad_shape_is_refused_alone(room, value):
    version = room.hub.patch("room-1", {"setpoint": value, "hint": 1, "mode": "auto"})
    assert room.ack("setpoint", av=version)["ac"] == 400
    assert room.ack("hint", av=version)["ac"] == 404
    assert room.ack("mode", av=version)["ac"] == 200


def test_a_patch_beyond_the_limits_is_acknowledged_by_property(room):
    version = room.hub.patch("room-1", {"setpoint": 19.0, "note": "x" * 5000})
    ack = room.ack("setpoint", av=version)
    assert ack["ac"] == 400 and "4096" in ack["ad"]
    assert room.ack("note", av=version)["ac"] == 400
    room.hub.patch("room-1", {"note": None})


def test_so_many_unknown_properties_do_not_hide_the_known_ones(room):
    room.hub.patch("room-1", {f"unknown-{number}": number for number in range(1500)})
    version = room.hub.patch("room-1", {"setpoint": 17.5})
    room.ack("setpoint", ac=200, av=version)
    room.hub.patch("room-1", {f"unknown-{number}": None for number in range(1500)})
    version = room.hub.patch("room-1", {"setpoint": 17.0})
    room.ack("setpoint", ac=200, av=version)


def test_a_patch_that_is_no_object_leaves_the_next_one_alone(room):
    for payload in (b"[1,2]", b'"text"', b"7", b'{"setpoint":19,"setpoint":20}', b'{"a":"\xff"}',
                    b'{"a":' * 70 + b"1" + b"}" * 70, b'{"a":"' + b"x" * 200000 + b'"}'):
        room.hub.tell("room-1", f"$iothub/twin/PATCH/properties/desired/?$version={1 << 40}", payload)
    version = room.hub.patch("room-1", {"setpoint": 16.5})
    room.ack("setpoint", ac=200, av=version)


@pytest.mark.parametrize("desired, why", [
    ({"note": "x" * 140000, "setpoint": 18.5}, "has more than 128 KB of text"),
    ({"note": [[]] * 3, "setpoint": 18.5}, "is no document that can be read")], ids=["large", "deep"])
def test_a_twin_that_cannot_be_read_is_told_once_and_taken_when_it_can(desired, why):
    if "KB" not in why:
        for _ in range(70):
            desired["note"] = [desired["note"]]
    with World() as world:
        room = Room(world)
        assert room.gateway.stop() == 0
        room.hub.identities["room-1"].desired = desired
        room.hub.identities["room-1"].desired_version += 1
        asked = room.gets()
        room.start()
        api = world.api(room.gateway)

        def told():
            return api.get("/jobgate/v1/status")[2]["iothub"]["why"]
        until(lambda: told() == f"the twin of room-1 {why}", what="the status tells it")
        until(lambda: room.gets() >= asked + 3, what="it is asked for again")
        assert room.gateway.text().count(f"the twin of room-1 {why}") == 1
        room.hub.identities["room-1"].desired = {"setpoint": 18.5}
        room.hub.cut("room-1")
        room.ack("setpoint", ac=200, value=18.5)
        until(lambda: told() == "", what="the status is quiet again")
        assert "the twin of room-1 can be read again" in room.gateway.text()
        assert room.hub.violations == []


def test_the_end_of_a_call_that_outran_its_time_is_told_in_the_twin():
    slow = ROOM.replace("{ expect = \"mode\"; value = \"cool\"; within = 1.0; }",
                        "{ expect = \"mode\"; value = \"cool\"; within = 25.0; }")
    assert slow != ROOM
    with World() as world:
        room = Room(world, "method_timeout_s = 5;")
        assert room.gateway.stop() == 0
        (room.config.parent / "profiles.d" / "p0.conf").write_text(slow)
        room.start()
        status, payload = room.hub.call("room-1", "waitForCool", {"requestId": "late-1"})
        assert (status, payload["error"]["code"]) == (504, "GatewayTimeout")
        assert "jobgate" not in room.hub.reported("room-1")
        last = until(lambda: room.hub.reported("room-1").get("jobgate", {}).get("lastMethod"))
        assert (last["method"], last["requestId"], last["status"]) == ("waitForCool", "late-1", 417)
        assert last["payload"]["error"]["code"] == "ExpectationFailed"
        assert room.hub.violations == []


def test_the_end_of_a_call_that_a_restart_interrupted_is_told_in_the_twin():
    with World() as world:
        room = Room(world, "method_timeout_s = 60;")
        call = room.hub.begin_call("room-1", "crawl", {"requestId": "cut-off"})
        until(lambda: room.holds(101) == 2, what="it has begun")
        assert room.gateway.stop() == 0
        assert call.exception(PATIENCE)
        room.start()
        last = until(lambda: room.hub.reported("room-1").get("jobgate", {}).get("lastMethod"))
        assert (last["method"], last["requestId"]) == ("crawl", "cut-off")
        assert last["status"] == 200, last
