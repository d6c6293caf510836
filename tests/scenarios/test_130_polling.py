"""Points with `poll` are read by themselves, and what changes is told."""
import pytest
from world import World, devices, rtu, until

PROFILE = """
profile = {
  name = "meter";
  points = {
    power    = { holding = 100; type = "int16"; poll = 0.2; deadband = 5.0; };
    state    = { holding = 104; poll = 0.2; };
    far      = { holding = 300; poll = 0.4; };
    setpoint = { holding = 200; };
  };
};
"""


@pytest.fixture(scope="module")
def meters():
    with World() as world:
        yield open_meters(world)


def open_meters(world):
    broker = world.broker()
    slaves = world.slaves({str(unit): {"holding": {"100": 50 + unit, "104": 1, "200": 0,
                                                   "300": 7}} for unit in (1, 2, 3)})
    config = world.site([rtu("bus", port=slaves.port, mode="8N2")],
                        [devices("meter-#", "bus", "1-3", "meter")], [PROFILE], broker,
                        name="meters")
    backend = world.backend(broker)
    gateway = world.gateway(config)
    backend.online()
    return world, gateway, backend


def test_polled_values_become_reported_properties(meters):
    _, _, backend = meters
    for unit in (1, 2, 3):
        told = backend.wait(f"devices/meter-{unit}/reported",
                            lambda message: message.payload and len(message.json) == 3)
        assert told.json == {"power": 50 + unit, "state": 1, "far": 7}


def test_a_polled_device_is_online(meters):
    _, _, backend = meters
    told = backend.wait("devices/meter-1/state", lambda message: message.payload and
                        message.json["state"] == "online")
    assert told.json["line"] == "bus"


def test_a_condition_sees_what_was_polled(meters):
    world, gateway, _ = meters
    status, _, rows = world.api(gateway).ask("POST", "/devices/query", {
        "query": "SELECT * FROM devices WHERE properties.reported.power > 52"})
    assert status == 200
    assert [row["deviceId"] for row in rows] == ["meter-3"]


def test_a_write_goes_between_polls(meters):
    world, gateway, _ = meters
    status, payload = world.api(gateway).write("meter-2", setpoint=33)
    assert status == 200 and payload["writes"]["setpoint"]["result"] == "verified"


def test_the_status_tells_how_much_of_the_line_polls_take(meters):
    world, gateway, _ = meters

    def percent():
        return world.api(gateway).get("/jobgate/v1/status")[2]["lines"][0].get("pollPercent", 0)
    until(lambda: percent() >= 20)  # more on a busy machine, where the devices are slow
