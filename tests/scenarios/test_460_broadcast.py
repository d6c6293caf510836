"""One frame to unit 0 writes the value to all devices of a line; each is then read."""
from small import Small

PROFILE = """
profile = {
  name = "room";
  points = { setpoint = { holding = 100; type = "int16"; broadcast = true; }; };
  methods = { set = { steps = ( { write = "setpoint"; arg = "value"; } ); }; };
};
"""


def job(small, job_id, value, condition="*"):
    small.backend.submit(job_id, type="scheduleDeviceMethod", queryCondition=condition,
                         cloudToDeviceMethod={"methodName": "set", "payload": {"value": value}})
    small.backend.share(job_id)
    return [message.json for message in small.backend.all(f"jobs/{job_id}/outcomes/")]


def test_a_job_over_a_line_is_one_write_and_reads(world):
    small = Small(world, units="1-9", profiles=(PROFILE,),
                  line_more="broadcast_ms = 3000;")
    before = small.sim.dump()["lines"]["floor3"]
    told = job(small, "all", 21)
    assert len(told) == 9 and all(each["status"] == "completed" for each in told)
    for each in told:
        write = each["outcome"]["deviceMethodResponse"]["payload"]["writes"]["setpoint"]
        assert write["result"] == "verified" and write["value"] == 21
    after = small.sim.dump()["lines"]["floor3"]
    assert after["frames"] - before["frames"] == 1 + 9
    assert after["broken_silence"] == before["broken_silence"]
    told = job(small, "but-one", 22, "deviceId != 'room-9'")
    assert len(told) == 8 and all(each["status"] == "completed" for each in told)
    assert small.sim.dump()["lines"]["floor3"]["frames"] - after["frames"] == 2 * 8
    assert small.written("room-9") == 1
