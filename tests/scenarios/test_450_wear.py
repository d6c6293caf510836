"""A point with max_writes_per_day: no write too many, whatever happens between."""
import signal

from small import Small

PROFILE = """
profile = {
  name = "room";
  points = {
    setpoint = { holding = 100; type = "int16"; if_different = true; max_writes_per_day = 3; };
    mode     = { holding = 101; };
  };
};
"""


def test_writes_are_counted_over_kills_and_the_fourth_is_refused(world):
    small = Small(world, units="1-1", profiles=(PROFILE,))
    for value in (1, 2):
        status, payload = small.api.write("room-1", setpoint=value)
        assert status == 200 and payload["writes"]["setpoint"]["result"] == "verified"
    small.gateway.child.send_signal(signal.SIGKILL)
    small.gateway.child.wait()
    gateway = world.gateway(small.config, "--lines", small.sim.lines)
    api = world.api(gateway)
    _, payload = api.write("room-1", setpoint=2)
    assert payload["writes"]["setpoint"]["result"] == "unchanged"
    assert api.write("room-1", setpoint=3)[0] == 200
    status, payload = api.write("room-1", setpoint=4)
    assert status == 405 and payload["error"]["code"] == "NotWritable"
    assert "3 times a day" in payload["error"]["description"]
    assert "more in 24 h" in payload["error"]["description"]
    assert small.written("room-1") == 3
    assert api.write("room-1", mode=1)[0] == 200
    told = world.command("devices", "--socket", gateway.socket)
    assert "WRITES TODAY" in told.stdout and "setpoint 3/3" in told.stdout
    _, _, device = api.get("/devices/room-1")
    assert device["jobgate"]["writesToday"]["setpoint"]["written"] == 3
