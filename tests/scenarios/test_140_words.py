"""The result words and error codes that the other scenarios do not meet, from outside."""
import time

import pytest

from small import Small
from world import ROOM, devices, rtu, until

WORDS = {"verified", "adjusted", "written", "unchanged", "mismatch", "refused", "no_answer",
         "unknown", "not_sent"}


@pytest.fixture(scope="module")
def small(module_world):
    return Small(module_world, "1-5", ("--dead", "room-3", "--exception", "room-4=2",
                                       "--exception", "room-5=4"))


def words(payload):
    return {name: entry["result"] for name, entry in payload["writes"].items()}


def test_a_silent_device_gave_no_answer_and_the_rest_was_not_sent(small):
    status, payload = small.api.write("room-3", setpoint=20, energy=7)
    assert status == 504 and payload["error"]["code"] == "DeviceTimeout"
    assert words(payload) == {"setpoint": "no_answer", "energy": "not_sent"}
    assert "unit 3 on line floor3" in payload["error"]["description"]


def test_what_cannot_be_read_back_is_written(small):
    status, payload = small.api.call("room-1", "command", 7)
    assert status == 200 and words(payload) == {"control": "written"}


def test_a_failure_of_the_device_leaves_a_trigger_unknown(small):
    status, payload = small.api.call("room-5", "command", 7)
    assert status == 500 and words(payload) == {"control": "unknown"}
    assert "exception 4" in payload["error"]["description"]


def test_an_unknown_device_is_named(small):
    status, _, content = small.api.ask("POST", "/twins/nobody/methods", {"methodName": "reboot"})
    assert status == 404 and "nobody" in str(content)
    told = small.world.command("read", "nobody", "--socket", small.gateway.socket, "--json")
    assert told.returncode == 2 and "nobody" in told.stderr, told


def test_a_newer_desired_value_supersedes_one_that_was_not_written(small):
    written = small.written("room-1")
    small.api.submit("busy", type="scheduleDeviceMethod", queryCondition="deviceId = 'room-1'",
                     cloudToDeviceMethod={"methodName": "dwell"})
    until(lambda: small.written("room-1") > written, what="room-1 dwells")
    small.api.submit("older", type="scheduleUpdateTwin", queryCondition="deviceId = 'room-1'",
                     updateTwin={"properties": {"desired": {"setpoint": 18}}})
    small.backend.publish("devices/room-1/desired", {"setpoint": 24})
    until(lambda: small.api.get("/twins/room-1")[2]["properties"]["desired"].get("setpoint") == 24)
    assert small.api.ask("POST", "/jobs/v2/busy/cancel")[0] == 200
    small.api.finished("older")
    record = small.api.outcomes("older")["room-1"]
    assert record["status"] == "failed"
    assert record["error"]["code"] == "Superseded", record
    twin = small.backend.wait("devices/room-1/reported",
                              lambda message: message.payload and
                              message.json.get("setpoint", {}).get("value") == 24.0).json
    assert twin["setpoint"]["ac"] == 200
    written = [write["values"] for write in small.sim.device("room-1")["writes"]
               if write["address"] == 100]
    assert [180] not in written


def test_a_job_whose_twin_is_beyond_the_limits_is_refused(small):
    status, _, content = small.api.submit(
        "large", type="scheduleUpdateTwin", queryCondition="*",
        updateTwin={"properties": {"desired": {"note": "x" * 5000}}})
    assert status == 400 and "4096" in str(content), content
    assert small.api.ask("GET", "/jobs/v2/large")[0] == 404


@pytest.mark.parametrize("device, call", [
    ("room-1", ("setComfort", {"setpoint": 20})), ("room-3", ("setComfort", {"setpoint": 20})),
    ("room-4", ("setComfort", {"setpoint": 20})), ("room-5", ("command", 7)),
    ("room-1", ("waitForCool", None)), ("room-1", ("ring", None))])
def test_every_answer_has_a_known_word_and_a_sentence(small, device, call):
    status, payload = small.api.call(device, *call)
    assert set(words(payload).values()) <= WORDS
    assert ("error" in payload) == (status >= 400)
    if status >= 400:
        assert len(payload["error"]["description"]) > 20


def test_statistics_follow_the_tasks_at_any_time(small):
    job = small.api.submit("counted", type="scheduleDeviceMethod", queryCondition="*",
                           cloudToDeviceMethod={"methodName": "linger"})[2]
    seen = set()
    while True:
        stats = job.get("deviceJobStatistics", {})
        if stats:
            parts = tuple(stats[key] for key in ("succeededCount", "failedCount", "runningCount",
                                                 "pendingCount"))
            assert sum(parts) == stats["deviceCount"] == 5, stats
            seen.add(parts)
        if job["status"] in ("completed", "failed", "cancelled"):
            break
        time.sleep(0.02)
        job = small.api.job("counted")
    assert len(seen) > 1
    rows = small.api.outcomes("counted").values()
    assert stats["succeededCount"] == sum(row["status"] == "completed" for row in rows) == 2
    assert stats["failedCount"] == sum(row["status"] == "failed" for row in rows) == 3
    assert all(("error" in row) == (row["status"] == "failed") for row in rows)


def test_a_name_that_goes_and_comes_back_is_another_terminal(world):
    """Unplugged: the name is gone. Plugged in again: the same name, another device node."""
    config = world.site([rtu("floor3")],
                        [devices("room-#", "floor3", "1-2")], [ROOM])
    sim = world.sim(config)
    name = world.folder / "by-id-name"
    name.symlink_to((sim.lines / "floor3").resolve())
    config.write_text(config.read_text().replace("/dev/serial/by-id/usb-floor3", str(name)))
    gateway = world.gateway(config)
    api = world.api(gateway)
    assert api.write("room-1", setpoint=20)[0] == 200
    name.unlink()
    sim.stop()
    status, payload = api.write("room-1", setpoint=21)
    assert (status, payload["error"]["code"]) == (503, "LineDown")
    again = world.sim(config, lines=world.folder / "other-lines")
    name.symlink_to((again.lines / "floor3").resolve())
    until(lambda: api.write("room-1", setpoint=22)[0] == 200, what="the line comes back", pause=0.2)
    assert again.device("room-1")["holding"]["100"] == 220
