"""A new memory card: what the broker still has of this gateway's shares is its memory."""
import shutil
import time

import pytest

from world import ROOM, broker_group, devices, rtu, until


def now(offset=0):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + offset))


class Floor:
    def __init__(self, world, protocol):
        self.world = world
        self.broker = world.broker()
        self.config = world.site([rtu("floor3")],
                                 [devices("room-#", "floor3", "1-2")], [ROOM],
                                 broker_group(self.broker, world.folder, f"protocol = {protocol};"))
        self.sim = world.sim(self.config)
        self.backend = world.backend(self.broker, protocol=protocol)

    def start(self):
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines)
        self.backend.online()

    def lose_memory(self):
        self.backend.forget()
        state = self.config.parent / "state"
        assert (state / "jobgate.db").exists()
        shutil.rmtree(state)

    def written(self):
        return [device["written"] for device in self.sim.dump()["devices"].values()]

    def submit(self, job_id, start=-5, condition="*", method="command"):
        self.backend.submit(job_id, retain=True, type="scheduleDeviceMethod",
                            queryCondition=condition, startTime=now(start),
                            maxExecutionTimeInSeconds=3600,
                            cloudToDeviceMethod={"methodName": method,
                                                 "payload": 7 if method == "command" else None})


@pytest.fixture(params=[5, 4], ids=["mqtt5", "mqtt311"])
def floor(world, request):
    return Floor(world, request.param)


def test_a_retained_job_that_has_run_is_not_run_again_after_the_card_is_lost(floor):
    floor.start()
    for number in range(5):
        floor.submit(f"night-{number}")
    for number in range(5):
        floor.backend.share(f"night-{number}")
    before = floor.written()
    assert before == [5, 5]
    floor.gateway.stop()
    floor.lose_memory()
    floor.start()
    # What comes after is done, so what came before was passed over.
    assert floor.backend.call_by_id("room-1", "command", "r1", 9)["status"] == 200
    assert floor.written() == [6, 5]
    assert not [message for message in floor.backend.all("jobs/") if "/outcomes/" in message.topic]
    # ... and it stays so.
    floor.gateway.stop()
    floor.start()
    assert floor.backend.call_by_id("room-1", "command", "r2", 9)["status"] == 200
    assert floor.written() == [7, 5]


def test_a_job_that_ran_when_the_card_was_lost_is_not_run_again(floor):
    floor.start()
    floor.submit("slow", condition="deviceId = 'room-1'", method="dwell")
    floor.backend.wait("jobs/slow/gateways/building-43",
                       lambda message: message.payload and message.json["status"] == "running")
    until(lambda: floor.written()[0] == 1, what="its first write")
    floor.gateway.child.kill()
    floor.gateway.child.wait()
    floor.lose_memory()
    floor.start()
    share = floor.backend.share("slow")
    assert share["deviceJobStatistics"]["failedCount"] == 1
    record = floor.backend.wait("jobs/slow/outcomes/room-1").json
    assert record["error"]["code"] == "OutcomeUnknown"
    assert "memory" in record["error"]["description"]
    assert floor.written() == [1, 0]


def test_a_retained_job_that_no_share_tells_of_is_run(floor):
    floor.submit("fresh")
    floor.start()
    floor.backend.share("fresh")
    assert floor.written() == [1, 1]
