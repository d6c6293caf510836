"""Two gateways that name the same device: one has it, the other leaves it alone and says so."""
import signal

import pytest

from world import ROOM, broker_group, devices, tcp, until

CLAIMED = "DeviceClaimedTwice"


class Two:
    """One line of rooms, and two sites that name them: a has room-1 and 2, b room-2 and 3."""

    def __init__(self, world, protocol):
        self.world = world
        self.broker = world.broker()
        self.backend = world.backend(self.broker, protocol=protocol)
        self.configs = {name: world.site(
            [tcp("plant", 502)], [devices("room-#", "plant", units)],
            [ROOM], broker_group(self.broker, world.folder, f"protocol = {protocol};"),
            name=name, gateway_id=name) for name, units in (("gw-a", "1-2"), ("gw-b", "2-3"))}
        whole = world.site([tcp("plant", 502)], [devices("room-#", "plant", "1-3")], [ROOM])
        self.sim = world.sim(whole)

    def start(self, name):
        gateway = self.world.gateway(self.configs[name], "--lines", self.sim.lines)
        gateway.api = self.world.api(gateway)
        return gateway

    def owner(self, device):
        message = self.backend.find(f"devices/{device}/state", lambda message: message.payload)
        return message and message.json["gateway"]

    def claimed_by(self, gateway, device):
        return gateway.api.get(f"/devices/{device}")[2]["jobgate"].get("claimedBy")

    def wait_claimed(self, gateway, device, by):
        until(lambda: self.claimed_by(gateway, device) == by, what=f"{device} claimed by {by}")


@pytest.fixture(params=[5, 4], ids=["mqtt5", "mqtt311"])
def two(world, request):
    return Two(world, request.param)


@pytest.fixture
def both(two):
    """a first, then b: a is the incumbent of room-2."""
    two.a = two.start("gw-a")
    until(lambda: two.owner("room-2") == "gw-a", what="a's states")
    two.b = two.start("gw-b")
    until(lambda: two.owner("room-3") == "gw-b", what="b's states")
    two.wait_claimed(two.b, "room-2", "gw-a")
    return two


def test_the_newcomer_is_refused_and_the_incumbent_goes_on(both):
    assert both.owner("room-2") == "gw-a"
    status, payload = both.b.api.write("room-2", setpoint=21.5)
    assert status == 409 and payload["error"]["code"] == CLAIMED
    assert "gw-a" in payload["error"]["description"] and "site" in payload["error"]["description"]
    status, payload = both.b.api.call("room-2", "setHint", 3)
    assert status == 409 and payload["error"]["code"] == CLAIMED
    assert both.sim.device("room-2")["written"] == 0
    assert both.b.api.write("room-3", setpoint=22.5)[0] == 200
    both.backend.publish("devices/room-2/desired", {"setpoint": 22.5})
    both.backend.wait("devices/room-2/reported", lambda message: "22.5" in message.payload)
    assert not both.backend.all("devices/room-2/results/")
    assert {message.json["gateway"] for message in both.backend.all("devices/room-2/state")
            if message.payload} == {"gw-a"}
    assert both.claimed_by(both.a, "room-2") is None
    assert both.b.text().count("names it as its own") == 1


def test_a_call_over_the_broker_is_answered_once_by_the_incumbent(both):
    answer = both.backend.call_by_id("room-2", "setHint", "r1", 5)
    assert answer["status"] == 200
    # What b is asked next it answers after what it was asked before.
    assert both.backend.call_by_id("room-3", "setHint", "r2", 5)["status"] == 200
    assert len(both.backend.all("devices/room-2/results/r1")) == 1


def test_a_job_has_a_true_share_at_each_gateway(both):
    both.backend.submit("all", type="scheduleDeviceMethod", queryCondition="*",
                        cloudToDeviceMethod={"methodName": "setHint", "payload": 9})
    a, b = both.backend.share("all", "gw-a"), both.backend.share("all", "gw-b")
    assert a["deviceJobStatistics"]["succeededCount"] == 2
    assert b["deviceJobStatistics"]["succeededCount"] == 1
    assert b["deviceJobStatistics"]["failedCount"] == 1
    until(lambda: len(both.backend.all("jobs/all/outcomes/")) == 4, what="four outcomes")
    told = {(message.json["gatewayId"], message.json["deviceId"]): message.json
            for message in both.backend.all("jobs/all/outcomes/")}
    assert told["gw-a", "room-2"]["status"] == "completed"
    assert told["gw-b", "room-2"]["error"]["code"] == CLAIMED
    assert told["gw-b", "room-3"]["status"] == "completed"
    assert both.sim.device("room-2")["written"] == 1


def test_status_metrics_and_the_list_of_devices_tell_it(both):
    _, _, status = both.b.api.get("/jobgate/v1/status")
    assert status["devices"]["claimed"] == 1
    assert "jobgate_devices_claimed 1" in both.b.api.get("/metrics", version=None)[2]
    shown = both.world.command("devices", "--socket", both.b.socket)
    assert "claimed by gw-a" in shown.stdout, shown


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_the_newcomer_takes_over_when_the_incumbent_is_gone(both, how):
    both.a.child.send_signal(how)
    both.wait_claimed(both.b, "room-2", None)
    until(lambda: both.owner("room-2") == "gw-b", what="b's state of room-2")
    assert both.b.api.write("room-2", setpoint=21.5)[0] == 200


@pytest.mark.parametrize("when", ["before", "during"])
def test_who_takes_over_carries_out_the_retained_desired_patch(two, when):
    """The other gateway, which is none, did not; b refused it at connect, or while it was live."""
    two.backend.publish("gateways/gw-a", {"state": "online"}, retain=True)
    two.backend.publish("devices/room-2/state", {"state": "online", "gateway": "gw-a"}, retain=True)
    if when == "before":
        two.backend.publish("devices/room-2/desired", {"setpoint": 20.5}, retain=True)
    two.b = two.start("gw-b")
    two.wait_claimed(two.b, "room-2", "gw-a")
    until(lambda: two.owner("room-3") == "gw-b", what="b's states")
    if when == "during":
        two.backend.publish("devices/room-2/desired", {"setpoint": 20.5}, retain=True)
    # What b is asked next it answers after what it was asked before.
    assert two.backend.call_by_id("room-3", "setHint", "r1", 5)["status"] == 200
    assert two.sim.device("room-2")["written"] == 0
    two.backend.publish("gateways/gw-a", {"state": "offline"}, retain=True)
    two.backend.wait("devices/room-2/reported", lambda message: "20.5" in message.payload)
    assert two.sim.device("room-2")["written"] == 1
    assert two.claimed_by(two.b, "room-2") is None


@pytest.mark.parametrize("left", [None, {"state": "online", "gateway": "gone"}],
                         ids=["cleared", "anothers"])
def test_the_newcomer_takes_over_when_the_incumbent_names_the_device_no_more(two, left):
    two.backend.publish("gateways/gw-a", {"state": "online"}, retain=True)
    two.backend.publish("devices/room-2/state", {"state": "online", "gateway": "gw-a"}, retain=True)
    two.b = two.start("gw-b")
    two.wait_claimed(two.b, "room-2", "gw-a")
    two.backend.publish("devices/room-2/state", left, retain=True)
    two.wait_claimed(two.b, "room-2", None)
    until(lambda: two.owner("room-2") == "gw-b", what="b's state of room-2")


def test_a_gateway_that_was_replaced_under_a_new_id_is_not_in_the_way(two):
    two.a = two.start("gw-a")
    until(lambda: two.owner("room-2") == "gw-a", what="a's states")
    two.a.child.kill()
    two.backend.wait("gateways/gw-a", lambda message: message.json["state"] == "offline")
    two.b = two.start("gw-b")
    until(lambda: two.owner("room-2") == "gw-b", what="b's state of room-2")
    assert two.b.api.write("room-2", setpoint=21.5)[0] == 200


def test_a_name_left_by_a_gateway_that_nobody_knows_is_not_in_the_way(two):
    two.backend.publish("devices/room-2/state",
                        {"state": "online", "gateway": "gone", "line": "x"}, retain=True)
    two.b = two.start("gw-b")
    until(lambda: two.owner("room-2") == "gw-b", what="b's state of room-2")


def test_what_waited_at_the_broker_is_not_done_to_a_device_of_another(two):
    """Retained and queued before b has heard who has the device."""
    two.a = two.start("gw-a")
    until(lambda: two.owner("room-2") == "gw-a", what="a's states")
    two.backend.publish("devices/room-2/desired", {"setpoint": 20.5}, retain=True)
    two.backend.wait("devices/room-2/reported", lambda message: "20.5" in message.payload)
    before = two.sim.device("room-2")["written"]
    two.b = two.start("gw-b")
    two.wait_claimed(two.b, "room-2", "gw-a")
    assert two.b.api.call("room-3", "setHint", 1)[0] == 200
    assert two.sim.device("room-2")["written"] == before


def test_when_both_have_told_their_claim_the_lesser_id_keeps_the_device(two):
    """A gateway that is no gateway plays the other side, before and behind in the alphabet."""
    two.b = two.start("gw-b")
    until(lambda: two.owner("room-2") == "gw-b" and two.owner("room-3") == "gw-b", what="b's states")
    for other, device in (("gw-c", "room-2"), ("gw-a", "room-3")):
        two.backend.publish(f"gateways/{other}", {"state": "online"}, retain=True)
        two.backend.publish(f"devices/{device}/state", {"state": "online", "gateway": other},
                            retain=True)
    two.wait_claimed(two.b, "room-3", "gw-a")
    assert two.b.api.write("room-3", setpoint=21.5)[0] == 409
    assert two.b.api.write("room-2", setpoint=21.5)[0] == 200
    # It told its state anew over that of the other one.
    two.backend.forget()
    two.backend.publish("devices/room-2/state", {"state": "online", "gateway": "gw-c"}, retain=True)
    two.backend.wait("devices/room-2/state", lambda message: message.json["gateway"] == "gw-b")


def test_what_no_gateway_would_say_changes_nothing(two):
    two.b = two.start("gw-b")
    until(lambda: two.owner("room-2") == "gw-b", what="b's states")
    two.backend.publish("gateways/gw-a", {"state": "online"}, retain=True)
    for body in ("{", "[]", "7", '{"gateway": 7}', '{"state": "online", "gateway": ""}',
                 '{"state": "online", "gateway": "gw a"}', '{"gateway": "gw-a"}',
                 '{"state": "perhaps", "gateway": "gw-a"}',
                 '{"state": "online", "gateway": "%s"}' % ("a" * 129)):
        two.backend.publish("devices/room-2/state", body)
    assert two.backend.call_by_id("room-2", "setHint", "r1", 5)["status"] == 200
    assert two.claimed_by(two.b, "room-2") is None
