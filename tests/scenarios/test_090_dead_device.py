"""Dead, slow and noisy devices: the others do not wait for them."""
import time

from small import Small
from world import KILLED, ROOM, devices, rtu, until


def comfort(api, job_id, setpoint):
    api.submit(job_id, type="scheduleDeviceMethod", queryCondition="*",
               cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": setpoint}})
    api.finished(job_id)
    return api.outcomes(job_id)


def test_dead_devices_do_not_delay_the_live_ones(world):
    small = Small(world, "1-9", ("--dead", "room-2", "--dead", "room-5"))
    begun = time.monotonic()
    small.backend.submit("all", type="scheduleDeviceMethod", queryCondition="*",
                         cloudToDeviceMethod={"methodName": "setComfort",
                                              "payload": {"setpoint": 20}})
    live = [f"room-{number}" for number in (1, 3, 4, 6, 7, 8, 9)]
    ends = []
    for name in live:
        small.backend.wait(f"jobs/all/outcomes/{name}")
    for message in small.backend.all("jobs/all/outcomes/"):
        if message.topic.rsplit("/", 1)[1] in live:
            assert message.json["status"] == "completed"
            ends.append(message.at - begun)
    small.backend.share("all")
    dead = [message.at - begun for message in small.backend.all("jobs/all/outcomes/")
            if message.topic.rsplit("/", 1)[1] not in live]
    assert len(dead) == 2
    # In place, the dead devices and their 3 tries of 5 s would come before the live ones.
    assert max(ends) < min(dead), (ends, dead)
    # In a second job a device known to be dead is probed once.
    outcomes = comfort(small.api, "again", 21)
    assert outcomes["room-2"]["error"]["code"] == "DeviceTimeout"


def test_a_device_that_is_dead_is_offline_and_comes_back_online(world):
    broker = world.broker()
    config = world.site([rtu("floor3")],
                        [devices("room-#", "floor3", "1-2")], [ROOM], broker)
    sim = world.sim(config, "--dead", "room-2")
    gateway = world.gateway(config, "--lines", sim.lines)
    backend, api = world.backend(broker), world.api(gateway)
    backend.online()
    api.call("room-1", "setComfort", {"setpoint": 20})
    api.call("room-2", "setComfort", {"setpoint": 20})
    told = backend.wait("devices/room-1/state", lambda message: message.json["state"] == "online")
    assert told.json["line"] == "floor3" and told.json["gateway"] == "building-43"
    backend.wait("devices/room-2/state", lambda message: message.json["state"] == "offline")
    assert api.get("/devices/room-2")[2]["connectionState"] == "Disconnected"
    sim.stop()
    world.sim(config, lines=sim.lines)
    until(lambda: api.call("room-2", "setComfort", {"setpoint": 20})[0] == 200, pause=0.3)
    backend.wait("devices/room-2/state", lambda message: message.json["state"] == "online")


def test_a_slow_device_is_waited_for(world):
    small = Small(world, "1-3", ("--slow", "room-2=1000"))
    assert all(row["status"] == "completed"
               for row in comfort(small.api, "slow", 20).values())


def test_a_late_answer_is_never_taken_for_the_next_one(world):
    """Its answer comes 3 s after a time-out of 1.5 s: into the others' turns."""
    small = Small(world, "1-4", ("--slow", "room-2=3000"),
                  line_more="timeout_ms = 1500; timeout_min_ms = 1500;")
    for number, setpoint in enumerate((18.5, 21.0, 23.5)):
        outcomes = comfort(small.api, f"late-{number}", setpoint)
        told = small.sim.dump()
        for name, row in outcomes.items():
            holds = told["devices"][name]["holding"]["100"]
            if row["status"] == "completed":
                assert holds == round(setpoint * 10), name
            if name != "room-2":
                assert row["status"] == "completed", row


def test_lost_and_corrupted_frames_are_tried_again(world):
    small = Small(world, "1-9", ("--drop", "5", "--corrupt", "3"), line_more=KILLED)
    for number, setpoint in enumerate((18.5, 21.0)):
        outcomes = comfort(small.api, f"noisy-{number}", setpoint)
        told = small.sim.dump()
        for name, row in outcomes.items():
            if row["status"] == "completed":
                assert told["devices"][name]["holding"]["100"] == round(setpoint * 10), name
        assert sum(row["status"] == "completed" for row in outcomes.values()) >= 7


def test_a_trigger_in_doubt_is_never_sent_twice(world):
    small = Small(world, "1-9", ("--drop", "20"), line_more=KILLED)
    for number in range(2):
        small.api.submit(f"doubt-{number}", type="scheduleDeviceMethod", queryCondition="*",
                         cloudToDeviceMethod={"methodName": "command", "payload": 100 + number})
        small.api.finished(f"doubt-{number}")
        outcomes = small.api.outcomes(f"doubt-{number}")
        told = small.sim.dump()
        for name, row in outcomes.items():
            orders = sum(write["values"].count(100 + number)
                         for write in told["devices"][name]["writes"] if write["address"] == 199)
            code = row.get("error", {}).get("code")
            assert orders <= 1, (name, orders)
            assert orders == 1 if code is None else code in ("OutcomeUnknown", "DeviceTimeout"), row
            if code == "DeviceTimeout":
                assert orders == 0, row
