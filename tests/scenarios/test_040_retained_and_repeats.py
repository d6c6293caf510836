"""What arrives twice or late is not done twice, and says so."""
import time
import uuid

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from small import Small
from world import ROOM, broker_group, devices, rtu


@pytest.fixture(scope="module")
def small(module_world):
    return Small(module_world)


def now(offset=0):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + offset))


def test_a_repeated_request_id_is_answered_from_memory(small):
    first = small.backend.call_by_id("room-1", "command", "same", 7)
    assert first["status"] == 200
    before = small.written("room-1")
    small.backend.forget()
    assert small.backend.call_by_id("room-1", "command", "same", 7) == first
    assert small.written("room-1") == before


def test_a_retained_call_is_refused(world):
    """Retained before the gateway starts: this is how a stale one would reach it."""
    broker = world.broker()
    config = world.site([rtu("floor3")], [devices("room-#", "floor3", "1-2")], [ROOM], broker)
    sim = world.sim(config)
    backend = world.backend(broker)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = backend.answers
    properties.CorrelationData = uuid.uuid4().bytes
    backend.publish("devices/room-1/methods/command", "7", True, properties)
    backend.publish("devices/room-2/methods/command/old", "7", True)
    world.gateway(config, "--lines", sim.lines)
    answer = backend.answer(properties.CorrelationData)
    assert answer["status"] == 409 and answer["payload"]["error"]["code"] == "Retained"
    answer = backend.wait("devices/room-2/results/old").json
    assert answer["status"] == 409
    assert all(device["written"] == 0 for device in sim.dump()["devices"].values())


def test_a_call_published_with_retain_is_refused_from_the_first_time_on(small):
    """MQTT 5 tells it also where the gateway listens already; and clearing it is no call."""
    before = small.written("room-1")
    small.backend.publish("devices/room-1/methods/command/kept", "7", True)
    answer = small.backend.wait("devices/room-1/results/kept").json
    assert answer["status"] == 409 and answer["payload"]["error"]["code"] == "Retained"
    small.backend.publish("devices/room-1/methods/command/kept", None, True)
    assert small.backend.call_by_id("room-1", "nothing", "after")["status"] == 404  # behind it
    assert small.written("room-1") == before
    assert len(small.backend.all("devices/room-1/results/kept")) == 1


@pytest.mark.parametrize("protocol", [4, 5])
def test_clearing_a_retained_call_that_was_refused_runs_nothing(world, protocol):
    broker = world.broker()
    group = broker_group(broker, world.folder, f"protocol = {protocol};")
    config = world.site([rtu("floor3")], [devices("room-#", "floor3", "1")], [ROOM], group)
    sim = world.sim(config)
    backend = world.backend(broker)
    backend.publish("devices/room-1/methods/reboot/old", "{}", True)
    world.gateway(config, "--lines", sim.lines)
    assert backend.wait("devices/room-1/results/old").json["status"] == 409
    backend.publish("devices/room-1/methods/reboot/old", None, True)
    assert backend.call_by_id("room-1", "nothing", "after")["status"] == 404
    assert len(backend.all("devices/room-1/results/old")) == 1
    assert sim.device("room-1")["written"] == 0


def test_a_known_job_document_is_not_run_again(small):
    document = {"type": "scheduleDeviceMethod", "queryCondition": "deviceId = 'room-2'",
                "cloudToDeviceMethod": {"methodName": "command", "payload": 5},
                "startTime": now()}
    small.backend.submit("once", **document)
    small.backend.share("once")
    before = small.written("room-2")
    assert before == 1
    small.backend.forget()
    small.backend.submit("once", **document)
    small.backend.share("once")
    assert small.written("room-2") == before


def test_a_different_document_under_a_known_id_is_refused_and_the_true_share_told_again(small):
    small.backend.submit("mine", type="scheduleDeviceMethod", queryCondition="deviceId = 'room-2'",
                         cloudToDeviceMethod={"methodName": "setHint", "payload": 1})
    small.backend.share("mine")
    small.backend.forget()
    small.backend.submit("mine", type="scheduleDeviceMethod", queryCondition="deviceId = 'room-3'",
                         cloudToDeviceMethod={"methodName": "setHint", "payload": 2})
    refusal = small.backend.wait("jobs/mine/gateways/building-43",
                                 lambda message: "refused" in message.payload)
    assert refusal.json["refused"]["code"] == "JobIdInUse"
    assert small.backend.wait("jobs/mine/gateways/building-43",
                              lambda message: "refused" not in message.payload
                              ).json["status"] == "completed"
    assert small.written("room-3") == 0


def test_a_retained_job_without_start_time_is_refused(world):
    broker = world.broker()
    config = world.site([rtu("floor3")], [devices("room-#", "floor3", "1-2")], [ROOM], broker)
    sim = world.sim(config)
    backend = world.backend(broker)
    backend.submit("stale", retain=True, type="scheduleDeviceMethod", queryCondition="*",
                   cloudToDeviceMethod={"methodName": "command", "payload": 5})
    world.gateway(config, "--lines", sim.lines)
    share = backend.share("stale")
    assert share["status"] == "failed" and "startTime" in share["error"]["description"]
    assert all(device["written"] == 0 for device in sim.dump()["devices"].values())


def test_a_job_whose_time_is_over_ends_as_expired_tasks(small):
    before = small.sim.dump()["devices"]
    small.backend.submit("late", type="scheduleDeviceMethod", queryCondition="*",
                         cloudToDeviceMethod={"methodName": "command", "payload": 5},
                         startTime=now(-600), maxExecutionTimeInSeconds=60)
    share = small.backend.share("late")
    assert share["deviceJobStatistics"]["failedCount"] == 3
    assert {record["error"]["code"] for record in small.backend.outcomes("late").values()} == {"Expired"}
    for name, device in small.sim.dump()["devices"].items():
        assert device["written"] == before[name]["written"]


def test_a_job_can_be_scheduled_and_cancelled(small):
    before = small.written("room-1")
    small.backend.submit("tonight", type="scheduleDeviceMethod", queryCondition="*",
                         cloudToDeviceMethod={"methodName": "command", "payload": 5},
                         startTime=now(3600))
    small.backend.wait("jobs/tonight/gateways/building-43",
                       lambda message: message.json["status"] == "scheduled")
    small.backend.publish("jobs/tonight/cancel", "")
    share = small.backend.share("tonight")
    assert share["status"] == "cancelled"
    assert small.written("room-1") == before


def test_a_cancel_before_its_job_is_kept(small):
    before = small.written("room-1")
    small.backend.publish("jobs/never/cancel", "{}")
    time.sleep(0.3)
    small.backend.submit("never", type="scheduleDeviceMethod", queryCondition="*",
                         cloudToDeviceMethod={"methodName": "command", "payload": 5})
    assert small.backend.share("never")["status"] == "cancelled"
    assert small.written("room-1") == before


def test_an_empty_payload_is_no_request(small):
    small.backend.publish("jobs/empty", None)
    time.sleep(0.5)
    assert small.backend.find("jobs/empty/gateways/building-43") is None
    assert small.api.get("/jobs/v2/empty")[0] == 404


@pytest.mark.parametrize("job_id, document, word", [
    ("broken", "{", "BadRequest"),
    ("notype", {"queryCondition": "*"}, "BadRequest"),
    ("badcond", {"type": "scheduleDeviceMethod", "queryCondition": "tags.floor = = 3",
                 "cloudToDeviceMethod": {"methodName": "reboot"}}, "BadRequest"),
    ("rollout", {"type": "scheduleDeviceMethod", "queryCondition": "*",
                 "cloudToDeviceMethod": {"methodName": "reboot"}, "rollout": {"batch": 5}},
     "BadRequest"),
])
def test_a_job_that_cannot_be_accepted_has_a_failed_share(small, job_id, document, word):
    small.backend.publish(f"jobs/{job_id}", document)
    share = small.backend.share(job_id)
    assert share["status"] == "failed"
    assert share["error"]["code"] == word
    assert len(share["error"]["description"]) > 10
