"""Polled values as telemetry of IoT Hub: form, rate, and what becomes of them without a hub."""
import re
import time

import pytest

from hub import Hub, iothub_group
from world import PATIENT, World, devices, free_port, rtu, until

METER = """
profile = {
  name = "meter";
  points = {
    power    = { holding = 100; type = "int16"; scale = 0.1; poll = 0.2; deadband = 5.0; };
    state    = { holding = 104; poll = 0.2; };
    far      = { holding = 300; poll = 0.4; property = "remote.far"; };
    setpoint = { holding = 200; };
  };
  methods = { load = { steps = ( { write = "power"; arg = "value"; } ); }; };
};
"""
NAMES = ["meter-1", "meter-2"]


class Meters:
    def __init__(self, world, more="telemetry = true;"):
        self.world = world
        self.hub = Hub(world.tls(), free_port())
        world._ends.callback(self.hub.close)
        self.hub.add(*NAMES)
        group = iothub_group(self.hub, world.folder, f"connect_per_s = 100; {more}")
        self.config = world.site([rtu("bus", more=PATIENT)],
                                 [devices("meter-#", "bus", "1-2", "meter")], [METER], group)
        self.sim = world.sim(self.config)
        self.gateway = world.gateway(self.config, "--lines", self.sim.lines)
        until(lambda: self.hub.connected() == NAMES)

    def load(self, name, value):
        status, payload = self.world.api(self.gateway).write(name, power=value)
        assert status == 200, payload

    def status(self):
        return self.world.api(self.gateway).get("/jobgate/v1/status")[2]["iothub"]

    def newest(self, name):
        """The newest value of each point."""
        newest = {}
        for _, values in self.hub.values(name):
            newest.update(values)
        return newest


@pytest.fixture(scope="module")
def meters():
    with World() as world:
        meters = Meters(world)
        yield meters
        assert meters.hub.violations == [], world.logs()
        assert meters.gateway.stop() == 0, meters.gateway.text()


def test_what_is_polled_is_sent_with_type_encoding_and_time(meters):
    for name in NAMES:
        until(lambda: set(meters.newest(name)) == {"power", "state", "far"}, what=f"{name} has sent all")
    for message in meters.hub.telemetry:
        said = message["properties"]
        assert (said["$.ct"], said["$.ce"], message["qos"]) == ("application/json", "utf-8", 1)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["$.ctime"])
        assert f'"time":"{said["$.ctime"]}"'.encode() in message["body"]
    names = [message["properties"]["$.mid"] for message in meters.hub.telemetry]
    assert len(names) == len(set(names))


def test_only_what_moves_is_sent_again(meters):
    until(lambda: meters.status()["telemetryWaiting"] == 0)
    time.sleep(1.5)
    count = len(meters.hub.values("meter-1"))
    time.sleep(2)
    assert len(meters.hub.values("meter-1")) == count
    before = meters.newest("meter-1")["power"]
    meters.load("meter-1", before + 40)
    until(lambda: meters.newest("meter-1")["power"] == before + 40)
    meters.load("meter-1", before)


def test_it_is_at_most_one_message_a_second_and_device(meters):
    until(lambda: meters.status()["telemetryWaiting"] == 0)
    count, begun = len(meters.hub.values("meter-1")), time.monotonic()
    for number in range(12):
        meters.load("meter-1", 20 + 100 * (number % 2))
        time.sleep(0.3)
    until(lambda: meters.newest("meter-1")["power"] == 120)
    assert len(meters.hub.values("meter-1")) - count <= time.monotonic() - begun + 3


def test_the_metrics_count_it(meters):
    until(lambda: meters.status()["telemetryWaiting"] == 0)
    sent = meters.status()["telemetrySent"]
    text = meters.world.api(meters.gateway).get("/metrics", version=None)[2]
    assert sent > 0 and re.search(r"^jobgate_iothub_telemetry_sent_total \d+$", text, re.M)
    assert re.search(r"^jobgate_iothub_telemetry_dropped_total 0$", text, re.M)


def test_check_says_nothing_against_it(meters):
    checked = meters.world.command("check", "--config", meters.config)
    assert checked.returncode == 0 and "telemetry" not in checked.stderr


def test_a_hub_that_throttles_is_given_time():
    with World() as world:
        meters = Meters(world)
        until(lambda: meters.newest("meter-1") and meters.newest("meter-2"))
        meters.hub.telemetry_delay = 3
        for number in range(8):
            meters.load("meter-1", 20 + 100 * (number % 2))
            time.sleep(0.6)
        meters.hub.telemetry_delay = 0
        until(lambda: meters.newest("meter-1")["power"] == 120)
        assert meters.hub.pending_most == 1, "one at a time for each device"
        assert meters.hub.violations == []


def test_what_is_read_without_a_hub_is_sent_later_and_once():
    with World() as world:
        meters = Meters(world)
        until(lambda: all(len(meters.newest(name)) == 3 for name in NAMES), what="all is told once")
        until(lambda: meters.status()["telemetryWaiting"] == 0)
        meters.hub.stop()
        until(lambda: meters.status()["connected"] == 0)
        for number in range(4):
            before = meters.status()["telemetryWaiting"]
            meters.load("meter-1", 20 + 50 * number)
            until(lambda count=before: meters.status()["telemetryWaiting"] > count)
        meters.hub.telemetry_lost = 1  # taken, and lost before it was acknowledged
        meters.hub.start()
        until(lambda: {20, 70, 120, 170} <= {values.get("power") for _, values in
                                             meters.hub.values("meter-1")})
        until(lambda: meters.status()["telemetryWaiting"] == 0)
        names = [message["properties"]["$.mid"] for message in meters.hub.telemetry]
        assert len(names) == len(set(names))
        assert meters.status()["telemetryDropped"] == 0
        assert meters.hub.violations == []


def test_without_the_switch_nothing_is_sent():
    with World() as world:
        meters = Meters(world, "")
        until(lambda: meters.hub.reported("meter-1").get("state") is not None)
        time.sleep(2)
        assert meters.hub.telemetry == []
