"""An adapter that is unplugged: LineDown at once, and back by itself."""
import time

from world import ROOM, devices, rtu, until


def test_an_unplugged_line_is_down_at_once_and_comes_back_by_itself(world):
    broker = world.broker()
    config = world.site([rtu("floor3")],
                        [devices("room-#", "floor3", "1-3")], [ROOM], broker)
    sim = world.sim(config)
    gateway = world.gateway(config, "--lines", sim.lines)
    api, backend = world.api(gateway), world.backend(broker)
    backend.online()
    assert api.call("room-1", "setComfort", {"setpoint": 20})[0] == 200
    sim.stop()
    begun = time.monotonic()
    status, payload = api.call("room-1", "setComfort", {"setpoint": 21}, timeout=300)
    assert (status, payload["error"]["code"]) == (503, "LineDown")
    assert time.monotonic() - begun < 200, "not when the call's time of 300 s is over"
    assert gateway.is_running()
    again = world.sim(config, lines=sim.lines)
    until(lambda: api.call("room-1", "setComfort", {"setpoint": 22})[0] == 200,
          what="the line comes back", pause=0.3)
    assert again.device("room-1")["holding"]["100"] == 220


def test_other_lines_work_while_one_is_down(world):
    config = world.site([rtu("gone", port="/dev/serial/by-id/not-there"), rtu("floor3")],
                        [devices("far", "gone", 1), devices("room-#", "floor3", "1-2")], [ROOM])
    sim = world.sim(config)
    text = config.read_text().replace('"/dev/serial/by-id/usb-floor3"', f'"{sim.lines}/floor3"')
    config.write_text(text)
    gateway = world.gateway(config)
    api = world.api(gateway)
    assert api.call("room-1", "setComfort", {"setpoint": 20})[0] == 200
    status, payload = api.call("far", "setComfort", {"setpoint": 20})
    assert (status, payload["error"]["code"]) == (503, "LineDown")
    assert "not-there" in payload["error"]["description"]


def test_a_job_waits_for_a_line_that_comes_back_soon(world):
    config = world.site([rtu("floor3")],
                        [devices("room-#", "floor3", "1-2")], [ROOM])
    sim = world.sim(config)
    gateway = world.gateway(config, "--lines", sim.lines)
    api = world.api(gateway)
    assert api.call("room-1", "setComfort", {"setpoint": 20})[0] == 200
    again = world.sim(config, lines=world.folder / "other-lines")
    sim.stop()
    api.submit("patient", type="scheduleDeviceMethod", queryCondition="*",
               cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": 23}})
    time.sleep(1)
    (sim.lines / "floor3").symlink_to((again.lines / "floor3").resolve())
    job = api.finished("patient")
    assert job["deviceJobStatistics"]["succeededCount"] == 2, api.outcomes("patient")


def test_a_job_on_a_line_that_stays_away_ends_as_line_down(world):
    config = world.site([rtu("floor3", port="/dev/serial/by-id/not-there")],
                        [devices("room-#", "floor3", "1-2")], [ROOM])
    gateway = world.gateway(config)
    api = world.api(gateway)
    api.submit("hopeless", type="scheduleDeviceMethod", queryCondition="*",
               cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": 23}})
    job = api.finished("hopeless")
    assert job["status"] == "completed" and job["deviceJobStatistics"]["failedCount"] == 2
    assert {row["error"]["code"] for row in api.outcomes("hopeless").values()} == {"LineDown"}
