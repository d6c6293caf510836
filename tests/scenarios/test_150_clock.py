"""A computer without a clock battery: what waits until the time of day is trusted, and by whom."""
import datetime
import json
import sqlite3

from https import Secure, token
from world import until


def wake_up_in_the_past(world):
    """A gateway whose store has seen a later time than its clock tells."""
    one = Secure(world, units="1", clock="auto")
    assert one.api.write("room-1", setpoint=21)[0] == 200  # the clock is kept with what is kept
    assert one.gateway.stop() == 0
    with sqlite3.connect(one.config.parent / "state" / "jobgate.db") as store:
        text, = store.execute("SELECT clock FROM clock").fetchone()
        later = {**json.loads(text), "wall": 4102444800000, "trusted": True}
        store.execute("UPDATE clock SET clock = ?", (json.dumps(later),))
    store.close()
    one.gateway = world.gateway(one.config, "--lines", one.sim.lines)
    one.api = world.api(one.gateway)
    return one


def clock(world, one, *more):
    return world.command("clock", *more, "--socket", one.gateway.socket)


def test_until_somebody_trusts_it_jobs_wait_and_https_is_closed(world):
    one = wake_up_in_the_past(world)
    told = clock(world, one)
    assert told.returncode == 0 and "not trusted: it is earlier than what the store" in told.stdout
    assert one.api.get("/jobgate/v1/status")[2]["clockTrusted"] is False
    assert "jobgate_clock_trusted 0" in one.api.get("/metrics")[2]
    status, _, refused = one.ask("GET", "/devices", authorization=token(one.owner))
    assert status == 401 and "clock not set" in refused["Message"]

    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    assert one.api.submit("tonight", type="scheduleDeviceMethod", queryCondition="*",
                          cloudToDeviceMethod={"methodName": "reboot"},
                          startTime=start.isoformat())[0] == 200
    until(lambda: datetime.datetime.now(datetime.timezone.utc) > start, what="the start comes")
    job = one.api.job("tonight")
    assert job["status"] == "scheduled" and "clock is not set" in job["statusMessage"]

    assert one.ask("POST", "/jobgate/v1/clock/trust", {}, token(one.owner))[0] == 401
    told = clock(world, one, "trust")
    assert told.returncode == 0 and told.stdout.endswith(", trusted\n")
    one.gateway.wait_for("trusted by hand")
    assert one.ask("GET", "/devices", authorization=token(one.owner))[0] == 200
    assert one.ask("POST", "/jobgate/v1/clock/trust", {}, token(one.owner))[0] == 403
    assert one.api.finished("tonight")["status"] == "completed"


def test_a_clock_that_nobody_doubts_is_told_as_trusted(world):
    one = Secure(world, units="1")
    told = clock(world, one, "--json")
    assert told.returncode == 0 and json.loads(told.stdout)["trusted"] is True
    assert clock(world, one, "doubt").returncode == 2
