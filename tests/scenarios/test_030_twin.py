"""Desired properties by MQTT: written, acknowledged one by one, remembered by version."""
import pytest

from small import Small


@pytest.fixture(scope="module")
def small(module_world):
    return Small(module_world)


def reported(small, device, accept):
    return small.backend.wait(f"devices/{device}/reported",
                              lambda message: message.payload and accept(message.json)).json


def held(small):
    """room-1 holds 20.5: whichever test comes first has it written, by the version the others not."""
    small.backend.publish("devices/room-1/desired", {"setpoint": 20.5, "$version": 4})
    return reported(small, "room-1", lambda twin: "setpoint" in twin)["setpoint"]


def test_a_desired_property_is_written_and_acknowledged(small):
    told = held(small)
    assert told["value"] == 20.5 and told["ac"] == 200
    assert told["av"] == 4, "the version is the one that the back end gave"
    assert isinstance(told["ad"], str)
    assert small.sim.device("room-1")["holding"]["100"] == 205


def test_each_property_stands_alone(small):
    small.backend.publish("devices/room-2/desired",
                          {"setpoint": 99.0, "mode": "cool", "colour": 1, "$version": 1})
    twin = reported(small, "room-2", lambda twin: "mode" in twin and "colour" in twin)
    assert twin["mode"]["ac"] == 200 and twin["mode"]["value"] == "cool"
    assert twin["setpoint"]["ac"] == 400
    assert twin["colour"]["ac"] == 404
    assert small.sim.device("room-2")["holding"]["101"] == 2


def test_an_equal_or_lower_version_is_ignored(small):
    small.backend.publish("devices/room-3/desired", {"setpoint": 20.0, "$version": 10})
    reported(small, "room-3", lambda twin: "setpoint" in twin)
    before = small.written("room-3")
    small.backend.publish("devices/room-3/desired", {"setpoint": 25.0, "$version": 10})
    small.backend.publish("devices/room-3/desired", {"setpoint": 26.0, "$version": 9})
    small.backend.publish("devices/room-3/desired", {"mode": "heat", "$version": 11})
    reported(small, "room-3", lambda twin: "mode" in twin)
    device = small.sim.device("room-3")
    assert device["holding"]["100"] == 200
    assert device["written"] == before + 1


def test_null_removes_the_acknowledgement_and_touches_nothing(small):
    small.backend.publish("devices/room-1/desired", {"mode": "heat", "$version": 20})
    reported(small, "room-1", lambda twin: "mode" in twin)
    before = small.written("room-1")
    small.backend.publish("devices/room-1/desired", {"mode": None, "$version": 21})
    reported(small, "room-1", lambda twin: "mode" not in twin)
    assert small.written("room-1") == before


def test_reported_is_retained(small):
    held(small)
    late = small.world.backend(small.broker)
    message = late.wait("devices/room-1/reported")
    assert message.retained


def test_the_api_shows_the_same_twin(small):
    held(small)
    status, _, twin = small.api.get("/twins/room-1")
    assert status == 200
    assert twin["deviceId"] == "room-1"
    assert twin["tags"] == {"building": 43, "floor": 3}
    assert twin["properties"]["desired"]["setpoint"] == 20.5
    assert twin["properties"]["reported"]["setpoint"]["value"] == 20.5
    assert isinstance(twin["properties"]["desired"]["$version"], int)


def test_broken_json_is_told_and_changes_nothing(small):
    before = small.sim.device("room-2")["requests"]
    small.backend.publish("devices/room-2/desired", "{ not json")
    answer = small.backend.wait("devices/room-2/results/-").json
    assert answer["status"] == 400
    assert small.sim.device("room-2")["requests"] == before


def test_tags_of_a_twin_job_complete_without_the_wire(small):
    before = {name: device["requests"] for name, device in small.sim.dump()["devices"].items()}
    status, _, content = small.api.submit("tag", type="scheduleUpdateTwin", queryCondition="*",
                                          updateTwin={"etag": "*", "tags": {"wing": "north"}})
    assert status == 200, content
    assert small.api.finished("tag")["deviceJobStatistics"]["succeededCount"] == 3
    assert small.api.get("/twins/room-2")[2]["tags"]["wing"] == "north"
    after = {name: device["requests"] for name, device in small.sim.dump()["devices"].items()}
    assert after == before
