"""Connections to IoT Hub: tokens, refusals, take-overs, outages, against the stand-in of hub.py."""
import time

import pytest

from hub import Hub, HubError, iothub_group
from hub_small import NAMES, Small
from world import ROOM, World, devices, free_port, rtu, until


def test_a_wrong_key_is_refused_and_tried_less_and_less():
    with World() as world:
        small = Small(world)
        small.hub.identities["room-2"].key = "AAAA"
        small.start(wait=False)
        small.all_connected(["room-1", "room-3", "room-4"])
        small.gateway.wait_for("room-2 is not connected")
        time.sleep(2)
        tries = [refusal for refusal in small.hub.refusals if refusal[0] == "room-2"]
        assert 1 <= len(tries) <= 8
        assert small.hub.group_key not in small.gateway.text()
        assert "SharedAccessSignature" not in small.gateway.text()


def test_the_second_gateway_of_an_identity_is_recognised():
    with World() as world:
        small = Small(world).start()
        for _ in range(3):
            until(lambda: "room-1" in small.hub.connected())
            small.hub.cut("room-1")
            until(lambda: "room-1" not in small.hub.connected())
        small.gateway.wait_for("does a second gateway use its identity?")
        assert "room-1" not in small.hub.connected()
        assert world.api(small.gateway).get("/jobgate/v1/status")[2]["iothub"]["takenOver"] == 1
        assert small.hub.call("room-2", "ring")[0] == 200


def test_a_revoked_device_alone_goes():
    with World() as world:
        small = Small(world).start()
        small.hub.disable("room-1")
        until(lambda: ("room-1", "no such identity") in small.hub.refusals)
        assert small.hub.connected() == NAMES[1:]
        with pytest.raises(HubError):
            small.hub.call("room-1", "ring")


def test_tokens_are_renewed_before_they_end():
    with World() as world:
        small = Small(world, "token_life_s = 40;").start()
        counts = {name: small.hub.identities[name].connects for name in NAMES}
        until(lambda: all(small.hub.identities[name].connects > counts[name] for name in NAMES))
        small.all_connected()
        assert small.hub.expired == [] and small.hub.violations == []


def test_a_call_delays_the_renewal_of_its_token():
    with World() as world:
        begun = time.monotonic()  # no token is older
        small = Small(world, "token_life_s = 100; method_timeout_s = 60;").start()
        time.sleep(max(0, begun + 66 - time.monotonic()))
        status, _ = small.hub.call("room-1", "stay")  # 20 s; it would be renewed after 75 to 85 s
        assert status == 200 and small.hub.expired == []


def test_a_call_longer_than_the_hub_waits_is_accepted_and_its_end_reported():
    with World() as world:
        small = Small(world, "method_timeout_s = 5;").start()
        assert small.hub.call("room-1", "stay", {"requestId": "late"})[0] == 202
        assert "jobgate" not in small.hub.reported("room-1"), "before the method has ended"
        last = until(lambda: small.hub.reported("room-1").get("jobgate", {}).get("lastMethod"))
        assert (last["method"], last["requestId"], last["status"]) == ("stay", "late", 200)
        assert small.hub.violations == []


def test_an_offline_device_can_be_disconnected():
    with World() as world:
        small = Small(world, "disconnect_offline = true;").start()
        assert small.hub.call("room-4", "ring")[0] == 504
        until(lambda: small.hub.connected() == NAMES[:3], what="the dead one is gone")
        statistics, records = small.hub.job(NAMES, "ring")
        assert statistics["failedCount"] == 1 and "error" in records["room-4"]


def test_a_call_that_comes_with_the_subscription_is_answered_before_its_device_goes():
    """The hub's call is there before the gateway's own thread knows that the device is connected."""
    names = [f"cold-{number}" for number in range(1, 13)]
    with World() as world:
        hub = Hub(world.tls(), free_port())
        world._ends.callback(hub.close)
        hub.add(*names)
        hub.greeting = "ring"
        config = world.site([rtu("bus", more="timeout_ms = 50; retries = 0;")],
                            [devices("cold-#", "bus", "1-12")], [ROOM], iothub_group(
                                hub, world.folder, "connect_per_s = 100; disconnect_offline = true;"))
        sim = world.sim(config, *(word for name in names for word in ("--dead", name)))
        world.gateway(config, "--lines", sim.lines)
        until(lambda: len(hub.greeted) == len(names) and
              all(answer.done() for answer in hub.greeted.values()), what="all calls are over")
        assert [answer.result()[0] for answer in hub.greeted.values()] == [504] * len(names)
        assert hub.violations == []


def test_the_hub_goes_and_comes_back():
    with World() as world:
        small = Small(world).start()
        version = small.hub.patch("room-1", {"setpoint": 20.0})
        small.acknowledged("room-1", "setpoint", av=version)
        small.hub.stop()
        until(lambda: small.hub.connected() == [])
        time.sleep(2)
        version = small.hub.patch("room-1", {"setpoint": 21.0})
        small.hub.start()
        until(lambda: small.hub.connected() == NAMES)
        small.acknowledged("room-1", "setpoint", ac=200, av=version)
        assert small.hub.call("room-2", "ring")[0] == 200
        assert small.hub.violations == []


def test_a_restarted_gateway_does_not_apply_again_what_is_acknowledged():
    with World() as world:
        small = Small(world).start()
        version = small.hub.patch("room-1", {"setpoint": 20.0})
        small.acknowledged("room-1", "setpoint", av=version, ac=200)
        assert small.gateway.stop() == 0
        frames = small.sim.dump()["lines"]["bus"]["frames"]
        asked = len(small.hub.twin_requests)
        small.start()
        until(lambda: len(small.hub.twin_requests) >= asked + 4)
        time.sleep(0.5)
        assert small.sim.dump()["lines"]["bus"]["frames"] == frames
        assert small.hub.reported("room-1")["setpoint"]["ac"] == 200
