"""Every error code that the outside can meet, and what it says of the device."""
import pytest

from small import Small
from world import ROOM, devices, rtu, until

PICKY = """
profile = {
  name = "picky";
  points = {
    setpoint = { holding = 100; type = "int16"; scale = 0.1; min = 10.0; max = 30.0; };
    stubborn = { holding = 121; write_with = 16; verify_within = 0.2; };
  };
  methods = { set = { steps = ( { write = "setpoint"; arg = "setpoint"; } ); }; };
};
"""


@pytest.fixture(scope="module")
def small(module_world):
    return Small(module_world, "1-5", ("--dead", "room-3", "--exception", "room-4=2",
                                       "--exception", "room-5=4"))


@pytest.mark.parametrize("device, method, payload, code, status", [
    ("room-1", "setComfort", {"setpoint": "x"}, "BadRequest", 400),
    ("room-1", "setComfort", {"setpoint": 9.9}, "OutOfRange", 400),
    ("room-1", "unheard", None, "UnknownMethod", 404),
    ("room-1", "waitForCool", None, "ExpectationFailed", 417),
    ("room-3", "setComfort", {"setpoint": 20}, "DeviceTimeout", 504),
    ("room-4", "setComfort", {"setpoint": 20}, "DeviceException", 502),
    ("room-5", "command", 7, "OutcomeUnknown", 500),
])
def test_a_call_fails_with_its_code(small, device, method, payload, code, status):
    told = small.api.call(device, method, payload)
    assert told[1]["error"]["code"] == code, told
    assert told[0] == status
    assert len(told[1]["error"]["description"]) > 10


def test_points_have_their_codes(small):
    for values, code, status in (({"unheard": 1}, "UnknownPoint", 404),
                                 ({"temperature": 1}, "NotWritable", 405)):
        told = small.api.write("room-1", **values)
        assert (told[0], told[1]["error"]["code"]) == (status, code)
    told = small.api.read("room-1", "control")
    assert (told[0], told[1]["error"]["code"]) == (405, "NotReadable")


def test_an_unknown_device_is_told(small):
    status, _, _ = small.api.ask("POST", "/jobgate/v1/devices/nobody/read", {"points": []})
    assert status == 404


def test_what_was_not_sent_is_listed(small):
    status, payload = small.api.write("room-4", setpoint=20, fanSpeed=3)
    assert status == 502
    assert {entry["result"] for entry in payload["writes"].values()} <= {"refused", "not_sent"}
    assert "refused" in {entry["result"] for entry in payload["writes"].values()}


def dwell(small, device, job_id):
    """Keeps a device busy until the job is cancelled."""
    begun = small.written(device)
    small.api.submit(job_id, type="scheduleDeviceMethod", queryCondition=f"deviceId = '{device}'",
                     cloudToDeviceMethod={"methodName": "dwell"})
    until(lambda: small.written(device) > begun, what=f"{device} dwells")


def test_cancelled_and_interrupted_tasks_are_told_apart(small):
    # room-1 dwells for an earlier job, so that its task of the second has not begun.
    dwell(small, "room-1", "first")
    begun = small.written("room-2")
    small.api.submit("both", type="scheduleDeviceMethod",
                     queryCondition="deviceId IN ['room-1', 'room-2']",
                     cloudToDeviceMethod={"methodName": "dwell"})
    until(lambda: small.written("room-2") > begun, what="room-2 dwells")
    assert small.api.ask("POST", "/jobs/v2/both/cancel")[0] == 200
    small.api.finished("both")
    assert small.api.ask("POST", "/jobs/v2/first/cancel")[0] == 200
    rows = small.api.outcomes("both")
    assert rows["room-1"]["error"]["code"] == "Canceled"
    assert rows["room-2"]["error"]["code"] == "Interrupted"
    assert rows["room-2"]["outcome"]["deviceMethodResponse"]["status"] == 410
    writes = rows["room-2"]["outcome"]["deviceMethodResponse"]["payload"]["writes"]
    assert "mode" in writes


def test_a_call_whose_time_ends_before_it_began_is_expired(small):
    dwell(small, "room-2", "slow")
    answer = small.backend.call("room-2", "setComfort", {"setpoint": 20}, expiry=2)
    assert (answer["status"], answer["payload"]["error"]["code"]) == (408, "Expired")
    assert small.api.ask("POST", "/jobs/v2/slow/cancel")[0] == 200


def test_a_job_that_ends_in_the_middle_interrupts_its_tasks(small):
    small.api.submit("short", type="scheduleDeviceMethod", queryCondition="deviceId = 'room-1'",
                     cloudToDeviceMethod={"methodName": "dwell"}, maxExecutionTimeInSeconds=10)
    assert small.api.finished("short")["status"] == "completed"
    assert small.api.outcomes("short")["room-1"]["error"]["code"] == "Interrupted"


def test_a_mismatch_tells_what_was_wrote_and_what_it_holds(world):
    slaves = world.slaves({"1": {"holding": {"100": 200, "121": 5}, "ignores": [121]}})
    config = world.site([rtu("line", slaves.port, mode="8N2")],
                        [devices("one", "line", 1, "picky")], [PICKY])
    status, payload = world.api(world.gateway(config)).write("one", stubborn=8)
    assert (status, payload["error"]["code"]) == (409, "VerifyMismatch")
    assert payload["writes"]["stubborn"] == {"result": "mismatch", "wrote": 8, "holds": 5}


def test_a_line_with_too_much_waiting_refuses_more(world):
    broker = world.broker()
    config = world.site([rtu("floor3")],
                        [devices("room-#", "floor3", "1-2")], [ROOM], broker,
                        extra="store = { max_waiting = 3; };")
    sim = world.sim(config)
    world.gateway(config, "--lines", sim.lines)
    backend = world.backend(broker)
    backend.online()
    for number in range(8):
        backend.publish(f"devices/room-1/methods/dwell/n{number}", "")
    refused = backend.wait("devices/room-1/results/n7").json
    assert (refused["status"], refused["payload"]["error"]["code"]) == (429, "QueueFull")


def test_broken_frames_on_every_try_are_a_bad_reply(world):
    small = Small(world, "1-2", ("--corrupt", "100"))
    status, payload = small.api.read("room-1", "setpoint")
    assert (status, payload["error"]["code"]) == (502, "BadReply")
    status, payload = small.api.call("room-1", "command", 7)
    assert payload["error"]["code"] in ("OutcomeUnknown", "BadReply", "DeviceTimeout")
    orders = [write for write in small.sim.device("room-1")["writes"] if write["address"] == 199]
    assert len(orders) <= 1
