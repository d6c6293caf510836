"""Devices that leave the site, by a reload or while the gateway is stopped, and come back."""
from test_160_reload import Floor
from world import devices, until


def test_a_device_that_comes_back_is_what_it_was(world):
    floor = Floor(world)
    floor.backend.publish("devices/room-1/desired", {"setpoint": 22.5, "$version": 5}, retain=True)
    floor.backend.wait("devices/room-1/reported", lambda message: "22.5" in message.payload)
    _, _, before = floor.api.get("/twins/room-1")
    written = floor.sim.device("room-1")["written"]
    floor.write([devices("room-#", "floor3", "2-6")])
    assert floor.reload().returncode == 0
    floor.backend.wait("devices/room-1/reported", lambda message: not message.payload)
    assert floor.api.get("/twins/room-1")[0] == 404
    floor.backend.forget()
    floor.write([devices("room-#", "floor3", "1-6")])
    assert floor.reload().returncode == 0
    floor.backend.wait("devices/room-1/reported", lambda message: "22.5" in message.payload)
    _, _, after = floor.api.get("/twins/room-1")
    assert after["properties"]["desired"] == before["properties"]["desired"]
    assert after["properties"]["reported"] == before["properties"]["reported"]
    # What is asked next is answered after what lies retained there was looked at.
    assert floor.backend.call("room-1", "setHint", 3)["status"] == 200
    assert floor.sim.device("room-1")["written"] == written + 1
    floor.backend.publish("devices/room-1/desired", {"setpoint": 23.5, "$version": 6}, retain=True)
    floor.backend.wait("devices/room-1/reported", lambda message: "23.5" in message.payload)


def test_who_waits_for_a_device_that_left_while_stopped_is_told(world):
    floor = Floor(world)
    floor.job("long", "dwell", "deviceId = 'room-6'")
    until(lambda: floor.sim.device("room-6")["written"] == 1, what="it has begun")
    floor.job("waits", "linger", "deviceId = 'room-6'")
    assert floor.gateway.stop() == 0
    floor.write([devices("room-#", "floor3", "1-5")])
    floor.gateway = world.gateway(floor.config, "--lines", floor.sim.lines)
    floor.api = world.api(floor.gateway)
    ended = floor.backend.wait("jobs/waits/outcomes/room-6").json
    assert (ended["status"], ended["error"]["code"]) == ("failed", "UnknownDevice")
    begun = floor.backend.wait("jobs/long/outcomes/room-6").json
    assert begun["error"]["code"] == "OutcomeUnknown"
    share = floor.backend.wait("jobs/waits/gateways/building-43",
                               lambda message: message.json["status"] == "completed").json
    told = share["deviceJobStatistics"]
    assert (told["deviceCount"], told["succeededCount"], told["failedCount"]) == (1, 0, 1)
    assert set(floor.api.outcomes("waits")) == {"room-6"}
    assert floor.sim.device("room-6")["written"] == 1
