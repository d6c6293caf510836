"""Devices come and go while the links stay connected."""
import pytest

from test_160_claims import Two
from test_160_reload import Floor
from world import ROOM, broker_group, devices, tcp, until

ME = "as building-43"


def broker_status(floor):
    return floor.api.get("/jobgate/v1/status")[2]["broker"]


def connections(floor):
    """How often the gateway has connected to the broker."""
    return len([line for line in floor.broker.text().splitlines()
                if "New client connected" in line and ME in line])


def test_nobody_sees_the_gateway_go_when_devices_come_and_go(world):
    floor = Floor(world)
    floor.backend.wait("devices/room-6/state")
    floor.job("floor")
    until(lambda: floor.api.job("floor")["deviceJobStatistics"]["runningCount"], what="it runs")
    floor.backend.forget("gateways/")
    for units, gone, new in (("2-7", "room-1", "room-7"), ("3-8", "room-2", "room-8")):
        floor.write([devices("room-#", "floor3", units)])
        assert floor.reload().returncode == 0
        floor.backend.wait(f"devices/{new}/state", lambda message: message.payload)
        floor.backend.wait(f"devices/{gone}/state", lambda message: not message.payload)
    floor.api.finished("floor")
    until(lambda: len(floor.backend.all("jobs/floor/outcomes/")) == 6, what="six outcomes")
    assert floor.backend.call("room-8", "setComfort", {"setpoint": 23})["status"] == 200
    births = [message.json for message in floor.backend.all("gateways/building-43")
              if not message.topic.endswith("/echo")]
    assert births and {birth["state"] for birth in births} == {"online"}
    assert connections(floor) == 1
    for n in range(3, 7):
        assert floor.sim.device(f"room-{n}")["written"] == 2, n


def test_a_device_more_is_in_the_birth_and_the_others_are_not_told_again(world):
    floor = Floor(world)
    floor.backend.wait("devices/room-6/state")
    floor.backend.forget()
    floor.write([devices("room-#", "floor3", "1-7")])
    assert floor.reload().returncode == 0
    floor.backend.wait("devices/room-7/state", lambda message: message.payload)
    assert floor.backend.wait("gateways/building-43").json["devices"] == 7
    assert not floor.backend.all("devices/room-1/state")


def test_a_site_that_changes_while_the_broker_is_away_is_right_when_it_is_back(world):
    floor = Floor(world)
    floor.backend.wait("devices/room-1/state")
    floor.broker.stop()
    until(lambda: not broker_status(floor)["connected"], what="it is away")
    for units in ("2-7", "1-6", "3-8"):
        floor.write([devices("room-#", "floor3", units)])
        assert floor.reload().returncode == 0
    floor.broker = world.broker(port=floor.broker.port)
    backend = world.backend(floor.broker)
    until(lambda: broker_status(floor)["connected"], what="it is back")
    assert backend.call("room-8", "setComfort", {"setpoint": 23})["status"] == 200
    assert backend.call("room-3", "setComfort", {"setpoint": 23})["status"] == 200
    subscribed = [line for line in floor.broker.text().splitlines() if line.endswith("(QoS 1)")]
    assert any("/devices/room-8/methods/#" in line for line in subscribed)
    assert not any("/devices/room-1/" in line for line in subscribed)
    assert floor.site()["reloads"] == 3


def test_only_its_own_keys_open_the_connection_again(world):
    floor = Floor(world)
    plain = floor.config.read_text()
    floor.config.write_text(plain.replace("gateway = {", "store = { outbox_mb = 5; };\ngateway = {"))
    assert floor.reload().returncode == 0
    until(lambda: floor.api.get("/jobgate/v1/status")[2]["outbox"]["limit"] == 5 << 20)
    assert connections(floor) == 1
    floor.config.write_text(plain.replace("broker = {", "broker = { keepalive_s = 77;"))
    assert floor.reload().returncode == 0
    until(lambda: connections(floor) == 2, what="it is opened again")
    until(lambda: broker_status(floor)["connected"], what="it is connected")
    assert floor.backend.call("room-1", "setComfort", {"setpoint": 23})["status"] == 200


def test_another_password_in_its_file_opens_the_connection_again(world):
    floor = Floor(world)
    password = world.folder / "password"
    password.write_text("s3cret-one\n")
    password.chmod(0o600)
    floor.config.write_text(floor.config.read_text().replace(
        "broker = {", f'broker = {{ username = "u"; password_file = "{password}";'))
    assert floor.reload().returncode == 0
    until(lambda: connections(floor) == 2, what="it is connected with a password")
    password.write_text("s3cret-one\nand what stands below\n")
    assert floor.reload().returncode == 0
    assert broker_status(floor)["connected"] and connections(floor) == 2
    password.write_text("s3cret-two\n")
    assert floor.reload().returncode == 0
    until(lambda: connections(floor) == 3, what="it is connected with the other one")
    until(lambda: broker_status(floor)["connected"], what="it is connected")
    assert "s3cret" not in floor.gateway.text()


@pytest.mark.parametrize("protocol", [5, 4], ids=["mqtt5", "mqtt311"])
def test_a_new_device_that_another_gateway_has_is_left_to_it(world, protocol):
    two = Two(world, protocol)
    two.configs["gw-b"] = world.site(
        [tcp("plant", 502)], [devices("room-#", "plant", "3-3")], [ROOM],
        broker_group(two.broker, world.folder, f"protocol = {protocol};"), name="gw-b",
        gateway_id="gw-b")
    a, b = two.start("gw-a"), two.start("gw-b")
    until(lambda: two.owner("room-2") == "gw-a" and two.owner("room-3") == "gw-b", what="states")
    text = two.configs["gw-b"].read_text()
    two.configs["gw-b"].write_text(text.replace('"3-3"', '"2-3"').replace("3-3", "2-3"))
    told = world.command("reload", "--socket", b.socket)
    assert told.returncode == 0, told.stderr
    two.wait_claimed(b, "room-2", "gw-a")
    assert b.api.write("room-2", setpoint=21.5)[0] == 409
    assert two.claimed_by(a, "room-2") is None
    assert two.backend.call_by_id("room-2", "setHint", "r1", 5)["status"] == 200
    assert {message.json["gateway"] for message in two.backend.all("devices/room-2/state")
            if message.payload} == {"gw-a"}
    a.stop()
    two.wait_claimed(b, "room-2", None)
    assert b.api.write("room-2", setpoint=21.5)[0] == 200
