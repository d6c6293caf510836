"""A job over a floor by MQTT: one outcome for each of its devices, none for others."""
from datetime import datetime, timedelta

import pytest

from world import ROOM, devices, rtu

FLOOR_3 = "tags.building = 43 AND tags.floor = 3"
DEAD, REFUSES = "floor3-room-4", "floor3-room-6"
IDS = [f"floor3-room-{number}" for number in range(1, 9)]


class Floor:
    """Two floors; the jobs below run once, the facts are read afterwards."""

    def __init__(self, world):
        self.world = world
        self.broker = broker = world.broker()
        config = world.site(
            [rtu("floor2"), rtu("floor3")],
            [devices("floor2-room-#", "floor2", "1-3", tags="building = 43; floor = 2;"),
             devices("floor3-room-#", "floor3", "1-8")], [ROOM], broker)
        self.sim = world.sim(config, "--dead", DEAD, "--exception", f"{REFUSES}=2")
        self.gateway = world.gateway(config, "--lines", self.sim.lines)
        self.backend = world.backend(broker)
        self.backend.online()
        self.api = world.api(self.gateway)
        self.backend.submit("reboot-floor-3", type="scheduleDirectRequest", queryCondition=FLOOR_3,
                            cloudToDeviceMethod={"methodName": "reboot", "payload": None,
                                                 "timeoutInSeconds": 90},
                            maxExecutionTimeInSeconds=300)
        self.share = self.backend.share("reboot-floor-3")
        self.outcomes = self.backend.outcomes("reboot-floor-3")
        self.after_reboot = self.sim.dump()
        self.backend.submit("setback", type="scheduleTwinUpdate", queryCondition=FLOOR_3,
                            updateTwin={"properties": {"desired": {"setpoint": 19.5}}})
        self.twin_share = self.backend.share("setback")
        self.twin_outcomes = self.backend.outcomes("setback")
        self.after_all = self.sim.dump()


@pytest.fixture(scope="module")
def floor(module_world):
    return Floor(module_world)


def test_each_device_of_the_floor_has_exactly_one_outcome(floor):
    assert sorted(floor.outcomes) == IDS
    assert len(floor.backend.all("jobs/reboot-floor-3/outcomes/")) == len(IDS)


def test_healthy_devices_were_rebooted_exactly_once_and_say_so(floor):
    for name in IDS:
        if name in (DEAD, REFUSES):
            continue
        assert floor.outcomes[name]["status"] == "completed", floor.outcomes[name]
        assert floor.outcomes[name]["outcome"]["deviceMethodResponse"]["status"] == 200
        assert floor.after_reboot["devices"][name]["reboots"] == 1
        assert floor.after_reboot["devices"][name]["written"] == 1


def test_a_dead_device_ends_as_timeout_and_was_sent_no_trigger(floor):
    record = floor.outcomes[DEAD]
    assert record["status"] == "failed"
    assert record["error"]["code"] == "DeviceTimeout"
    assert record["outcome"]["deviceMethodResponse"]["status"] == 504
    assert floor.after_all["devices"][DEAD]["written"] == 0


def test_a_refusing_device_ends_with_the_exception_in_words(floor):
    record = floor.outcomes[REFUSES]
    assert record["status"] == "failed"
    assert record["error"]["code"] == "DeviceException"
    assert "2" in record["error"]["description"]
    assert "illegal data address" in record["error"]["description"].lower()
    assert floor.after_all["devices"][REFUSES]["reboots"] == 0


def test_another_floor_is_not_touched(floor):
    for number in (1, 2, 3):
        device = floor.after_all["devices"][f"floor2-room-{number}"]
        assert device["written"] == 0 and device["reboots"] == 0


def test_the_share_counts_what_the_outcomes_say(floor):
    assert floor.share["status"] == "completed"
    assert floor.share["jobId"] == "reboot-floor-3"
    assert floor.share["gatewayId"] == "building-43"
    assert floor.share["type"] == "scheduleDeviceMethod"
    assert floor.share["deviceJobStatistics"] == {
        "deviceCount": 8, "failedCount": 2, "succeededCount": 6, "runningCount": 0,
        "pendingCount": 0}


def test_statistics_add_up_at_any_time(floor):
    shares = [message.json for message in floor.backend.all("jobs/reboot-floor-3/gateways/")]
    assert shares
    for share in shares:
        stats = share["deviceJobStatistics"]
        assert stats["deviceCount"] == sum(stats[key] for key in (
            "failedCount", "succeededCount", "runningCount", "pendingCount")), share


def test_a_record_has_the_fields_of_the_interface(floor):
    record = floor.outcomes["floor3-room-1"]
    assert record["jobId"] == "reboot-floor-3"
    assert record["deviceId"] == "floor3-room-1"
    assert record["jobType"] == "scheduleDeviceMethod"
    assert record["attempts"] >= 1
    for key in ("createdDateTimeUtc", "startTimeUtc", "lastUpdatedDateTimeUtc", "endTimeUtc"):
        assert record[key].endswith("Z") and len(record[key]) == len("2030-01-01T00:00:00.000Z")
    assert record["createdDateTimeUtc"] <= record["startTimeUtc"] <= record["endTimeUtc"]
    assert record["gatewayId"] == "building-43"
    assert "error" not in record


def test_a_twin_job_is_done_when_the_devices_hold_the_value(floor):
    assert floor.twin_share["deviceJobStatistics"]["succeededCount"] == 6
    for name in IDS:
        holds = floor.after_all["devices"][name]["holding"]["100"]
        done = floor.twin_outcomes[name]["status"] == "completed"
        assert done == (name not in (DEAD, REFUSES))
        assert (holds == 195) == done


def test_the_api_gives_the_same_outcomes_as_the_broker(floor):
    rows = floor.api.outcomes("reboot-floor-3")
    assert sorted(rows) == IDS
    for name in IDS:
        assert rows[name]["status"] == floor.outcomes[name]["status"]
        assert rows[name]["outcome"] == floor.outcomes[name]["outcome"]


def test_silence_between_frames_was_never_broken(floor):
    """On a machine that is busy elsewhere a simulated device may answer after its time-out is
    over, into the next frame: only what no time-out explains is a frame sent too early."""
    asked = {line["name"]: line for line in floor.api.get("/jobgate/v1/status")[2]["lines"]}
    for name, line in floor.after_all["lines"].items():
        assert line["broken_silence"] + line["collisions"] <= asked[name]["troubles"]


def test_a_job_that_selects_nobody_is_over_at_once(floor):
    floor.backend.submit("nobody", type="scheduleDeviceMethod", queryCondition="tags.floor = 9",
                         cloudToDeviceMethod={"methodName": "reboot"})
    share = floor.backend.share("nobody")
    assert share["status"] == "completed"
    assert share["deviceJobStatistics"]["deviceCount"] == 0
    floor.backend.wait("jobs/nobody/gateways/building-43", lambda message: not message.payload)
    late = floor.world.backend(floor.broker)
    assert late.wait("jobs/reboot-floor-3/gateways/building-43").retained
    assert late.wait("jobs/setback/gateways/building-43").retained
    floor.backend.publish("mark", "behind what was retained")
    late.wait("mark")
    assert late.find("jobs/nobody/gateways/building-43") is None


def test_waits_of_many_devices_run_side_by_side(floor):
    """A reboot waits for one second and more: six of them would take six, one after another."""
    def moment(text):
        return datetime.fromisoformat(text.rstrip("Z"))
    spans = [(moment(record["startTimeUtc"]), moment(record["endTimeUtc"]))
             for name, record in floor.outcomes.items() if name not in (DEAD, REFUSES)]
    whole = max(end for _, end in spans) - min(start for start, _ in spans)
    assert whole < sum(((end - start) for start, end in spans), timedelta()) / 2
