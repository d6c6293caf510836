"""Devices of IoT Hub: methods and twins, against the stand-in of hub.py."""
import json
import time

import pytest

from hub_small import NAMES, Small
from world import World, until


@pytest.fixture(scope="module")
def small():
    with World() as world:
        small = Small(world, "method_timeout_s = 60;").start()
        yield small
        assert small.hub.violations == [], world.logs()
        assert small.gateway.stop() == 0, small.gateway.text()


def test_a_method_is_answered_with_what_the_device_did(small):
    status, payload = small.hub.call("room-1", "setComfort", {"setpoint": 21.5})
    assert status == 200
    assert payload["writes"]["setpoint"] == {**payload["writes"]["setpoint"], "result": "verified",
                                             "value": 21.5}
    assert payload["values"] == {"setpoint": 21.5, "mode": "auto"}
    assert small.holds("room-1", 100) == 215


def test_a_dead_device_is_connected_and_answers_the_truth(small):
    status, payload = small.hub.call("room-4", "setComfort", {"setpoint": 21.5})
    assert (status, payload["error"]["code"]) == (504, "DeviceTimeout")


def test_wrong_calls_are_answered_not_left_in_silence(small):
    assert small.hub.call("room-1", "dance")[0] == 404
    assert small.hub.call("room-1", "setComfort", {"setpoint": 99})[0] == 400
    assert small.hub.call("room-1", "setComfort", raw=b'{"setpoint": ')[0] == 400
    assert small.hub.call("room-1", "setComfort", raw=b'{"setpoint":20,"setpoint":21}')[0] == 400
    assert small.hub.call("room-1", "setComfort", raw=b"[" * 5000)[0] == 400
    assert small.hub.call("room-1", "setComfort", raw=b'"\xff\xfe"')[0] == 400
    assert small.hub.call("room-1", "setComfort", raw=b'"' + b"x" * 200000 + b'"')[0] == 400
    assert small.hub.call("room-1", "a%2Fb", {})[0] == 400


def test_an_empty_payload_is_null(small):
    assert small.hub.call("room-1", "ring", raw=b"")[0] == 200


def test_a_request_id_makes_a_repeat_known(small):
    payload = {"value": 7, "requestId": "op-1"}
    written = small.sim.device("room-2")["written"]
    first = small.hub.call("room-2", "command", payload)
    again = small.hub.call("room-2", "command", payload)
    assert first[0] == 200 and again == first
    assert small.sim.device("room-2")["written"] == written + 1
    other = small.hub.call("room-2", "command", {"value": 7, "requestId": "op-2"})
    assert other[0] == 200
    assert small.hub.call("room-2", "command", {"value": 7, "requestId": "no good"})[0] == 400


def test_the_same_request_while_the_first_runs_gets_its_answer(small):
    first = small.hub.begin_call("room-3", "linger", {"requestId": "twice"})
    time.sleep(0.3)
    second = small.hub.begin_call("room-3", "linger", {"requestId": "twice"})
    assert first.result(90) == second.result(90)
    assert first.result()[0] == 200


def test_a_desired_property_is_written_and_acknowledged(small):
    version = small.hub.patch("room-1", {"setpoint": 19.5, "nonsense": 1, "mode": "boil"})
    ack = small.acknowledged("room-1", "setpoint", ac=200, av=version)
    assert ack["value"] == 19.5
    assert small.holds("room-1", 100) == 195
    assert small.acknowledged("room-1", "nonsense", av=version)["ac"] == 404
    assert small.acknowledged("room-1", "mode", av=version)["ac"] == 400


def test_null_removes_the_acknowledgement_and_touches_nothing(small):
    version = small.hub.patch("room-2", {"setpoint": 22.5})
    small.acknowledged("room-2", "setpoint", av=version)
    small.hub.patch("room-2", {"setpoint": None})
    until(lambda: "setpoint" not in small.hub.reported("room-2"), what="the acknowledgement goes")
    assert small.holds("room-2", 100) == 225


def test_a_lost_notification_is_noticed_by_its_version(small):
    small.hub.patch("room-3", {"setpoint": 23.5}, loses=True)
    version = small.hub.patch("room-3", {"hint": 40})
    small.acknowledged("room-3", "setpoint", ac=200, value=23.5)
    small.acknowledged("room-3", "hint", ac=200, av=version)


def test_an_older_notification_is_ignored(small):
    version = small.hub.patch("room-1", {"hint": 60})
    small.acknowledged("room-1", "hint", av=version)
    small.hub.tell("room-1", f"$iothub/twin/PATCH/properties/desired/?$version={version - 1}",
                   json.dumps({"hint": 70, "$version": version - 1}).encode())
    small.acknowledged("room-1", "hint", value=60)
    status, payload = small.hub.call("room-1", "setHint", {"hint": 60})
    assert status == 200 and payload["writes"]["hint"]["value"] == 60


def test_patches_missed_while_away_are_applied_once(small):
    small.hub.identities["room-1"].enabled = False
    small.hub.cut("room-1")
    until(lambda: "room-1" not in small.hub.connected())
    small.hub.patch("room-1", {"setpoint": 24.0})
    version = small.hub.patch("room-1", {"setpoint": 25.0})
    small.hub.disable("room-1", False)
    until(lambda: "room-1" in small.hub.connected())
    small.acknowledged("room-1", "setpoint", ac=200, av=version, value=25.0)
    assert small.holds("room-1", 100) == 250


def test_a_recreated_identity_is_recognised(small):
    small.hub.patch("room-2", {"hint": 80})
    small.acknowledged("room-2", "hint", ac=200)
    small.hub.recreate("room-2", {"setpoint": 18.0})
    small.acknowledged("room-2", "setpoint", ac=200, av=2, value=18.0)
    assert small.holds("room-2", 100) == 180


def test_throttled_twin_requests_come_again(small):
    small.hub.throttled = 3
    version = small.hub.patch("room-3", {"setpoint": 17.5})
    small.acknowledged("room-3", "setpoint", ac=200, av=version)
    assert small.hub.throttled == 0


def test_hostile_notifications_do_no_harm(small):
    for payload in (b"", b"null", b"[1]", b"{", b'{"a":1,"a":2}', b"[" * 90000, b'{"\xff":1}'):
        small.hub.tell("room-3", "$iothub/twin/PATCH/properties/desired/?$version=9", payload)
    for topic in ("$iothub/methods/POST//?$rid=1", "$iothub/methods/POST/x", "$iothub/twin/res/",
                  "$iothub/twin/res/200/?$rid=", "$iothub/twin/res/99999/?$rid=1", "other"):
        small.hub.tell("room-3", topic, b"{}")
    version = small.hub.patch("room-3", {"setpoint": 16.5})
    small.acknowledged("room-3", "setpoint", ac=200, av=version)
    assert small.gateway.is_running()


def test_a_job_of_the_hub_counts_every_device(small):
    statistics, records = small.hub.job(NAMES, "setComfort", {"setpoint": 20.0})
    assert statistics == {"deviceCount": 4, "failedCount": 0, "succeededCount": 4,
                          "runningCount": 0, "pendingCount": 0}
    statuses = {name: record["outcome"]["deviceMethodResponse"]["status"]
                for name, record in records.items()}
    assert statuses == {"room-1": 200, "room-2": 200, "room-3": 200, "room-4": 504}
    assert all(small.holds(name, 100) == 200 for name in NAMES[:3])
