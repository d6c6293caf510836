"""Single method calls by MQTT: answers where they belong, for good and bad requests alike."""
import pytest

from small import Small


@pytest.fixture(scope="module")
def small(module_world):
    return Small(module_world, sim_options=("--dead", "room-3"))


def error_of(answer):
    return answer["payload"]["error"]["code"]


def test_a_call_is_answered_on_the_response_topic_with_what_became_of_each_point(small):
    answer = small.backend.call("room-1", "setComfort", {"setpoint": 21.5})
    assert answer["status"] == 200
    assert list(answer) == ["status", "payload"]
    writes = answer["payload"]["writes"]
    assert list(writes) == ["setpoint", "mode"]
    assert writes["setpoint"]["result"] == "verified" and writes["setpoint"]["value"] == 21.5
    assert writes["mode"]["result"] == "verified" and writes["mode"]["value"] == "auto"
    assert answer["payload"]["values"] == {"setpoint": 21.5, "mode": "auto"}
    registers = small.sim.device("room-1")["holding"]
    assert registers["100"] == 215 and registers["101"] == 3


def test_neighbours_go_out_in_one_frame(small):
    before = small.written("room-2")
    assert small.backend.call("room-2", "setComfort", {"setpoint": 20, "mode": "heat"})["status"] == 200
    device = small.sim.device("room-2")
    assert device["written"] == before + 1
    assert device["writes"][-1]["values"] == [200, 1]


def test_without_mqtt_5_the_answer_comes_on_the_topic_of_the_request_id(small):
    answer = small.backend.call_by_id("room-1", "setComfort", "r-17", {"setpoint": 22.0})
    assert answer["status"] == 200


@pytest.mark.parametrize("arguments, code, status", [
    ('{"setpoint": 21.5', "BadRequest", 400),
    ('{"setpoint": 21.5, "setpoint": 22}', "BadRequest", 400),
    ({}, "BadRequest", 400),
    ({"setpoint": 21.5, "colour": "red"}, "BadRequest", 400),
    ({"setpoint": "warm"}, "BadRequest", 400),
    ({"setpoint": 30.1}, "OutOfRange", 400),
    ({"setpoint": 21, "mode": "turbo"}, "OutOfRange", 400),
])
def test_a_bad_argument_is_refused_before_the_line_is_touched(small, arguments, code, status):
    before = small.sim.device("room-1")["requests"]
    answer = small.backend.call("room-1", "setComfort", arguments)
    assert (error_of(answer), answer["status"]) == (code, status)
    assert len(answer["payload"]["error"]["description"]) > 10
    assert small.sim.device("room-1")["requests"] == before


def test_an_unknown_method_is_answered(small):
    answer = small.backend.call("room-1", "explode")
    assert (error_of(answer), answer["status"]) == ("UnknownMethod", 404)


def test_broken_json_is_answered_on_the_topic_of_the_request_id_too(small):
    answer = small.backend.call_by_id("room-1", "setComfort", "r-18", "{{{")
    assert (error_of(answer), answer["status"]) == ("BadRequest", 400)


def test_a_call_without_response_topic_and_request_id_is_not_run(small):
    before = small.sim.device("room-1")["requests"]
    small.backend.publish("devices/room-1/methods/setComfort", {"setpoint": 18})
    answer = small.backend.wait("devices/room-1/results/-").json
    assert answer["status"] == 400
    assert small.sim.device("room-1")["requests"] == before


def test_a_scalar_is_taken_where_the_method_has_one_argument(small):
    assert small.backend.call("room-1", "setHint", 40)["status"] == 200
    assert small.sim.device("room-1")["holding"]["120"] == 40


def test_a_dead_device_is_answered_with_a_timeout(small):
    answer = small.backend.call("room-3", "setComfort", {"setpoint": 21})
    assert (error_of(answer), answer["status"]) == ("DeviceTimeout", 504)


def test_a_pulse_ends_where_it_began(small):
    answer = small.backend.call("room-1", "ring")
    assert answer["status"] == 200
    device = small.sim.device("room-1")
    assert [write["values"] for write in device["writes"] if write["table"] == "coil"] == [[1], [0]]
    assert device["coil"]["0"] == 0


def test_an_expectation_that_does_not_hold_fails(small):
    answer = small.backend.call("room-1", "waitForCool")
    assert (error_of(answer), answer["status"]) == ("ExpectationFailed", 417)


def test_two_calls_to_one_device_run_one_after_the_other(small):
    first = small.backend.call_by_id
    small.backend.publish("devices/room-1/methods/linger/long", {})
    answer = first("room-1", "setComfort", "short", {"setpoint": 23})
    assert answer["status"] == 200
    assert small.backend.find("devices/room-1/results/long"), "the first was answered before"
