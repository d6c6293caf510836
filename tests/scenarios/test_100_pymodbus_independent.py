"""Against pymodbus, which shares no code with us: RTU on a terminal, and TCP."""
import pytest

from world import World, devices, rtu, tcp

PROFILE = """
profile = {
  name = "meter";
  points = {
    first    = { holding = 0; };
    setpoint = { holding = 100; type = "int16"; scale = 0.1; };
    mode     = { holding = 101; };
    energy   = { holding = 110; type = "uint32"; order = "CDAB"; };
    factor   = { holding = 112; type = "float32"; };
    hint     = { holding = 120; tolerance = 5; write_with = 16; verify_within = 0.2; };
    stubborn = { holding = 121; write_with = 16; verify_within = 0.2; };
    fan      = { holding = 130; bits = [ 4, 3 ]; };
    missing  = { holding = 500; };
    level    = { input = 7; };
    lamp     = { coil = 0; };
    door     = { discrete = 3; };
  };
  methods = { setBoth = { steps = ( { write = "setpoint"; arg = "setpoint"; },
                                    { write = "mode"; arg = "mode"; } ); }; };
};
"""


def unit(**more):
    return {"holding": {"0": 7, "100": 210, "101": 0, "110": 1, "111": 0, "112": 0, "113": 0,
                        "120": 0, "121": 5, "130": 0xFF0F}, "input": {"7": 42},
            "coil": {"0": 0}, "discrete": {"3": 1}, "ignores": [121], "rounds": {"120": 5}, **more}


class Bench:
    def __init__(self, world, kind):
        self.world = world
        self.slaves = world.slaves({"1": unit(), "2": unit(), "3": unit()}, tcp=kind == "tcp")
        line = tcp("plant", self.slaves.tcp_port) if kind == "tcp" else \
            rtu("plant", self.slaves.port, mode="8N2")
        # Unit 4 is not there.
        config = world.site([line], [devices("meter-#", "plant", "1-4", "meter")], [PROFILE])
        self.api = world.api(world.gateway(config))

    def holding(self, number, address):
        return self.slaves.dump()[str(number)]["holding"][str(address)]


@pytest.fixture(scope="module", params=["rtu", "tcp"])
def bench(request):
    with World() as world:
        yield Bench(world, request.param)


def test_values_are_read_from_every_table(bench):
    status, payload = bench.api.read("meter-1", "first", "setpoint", "level", "lamp", "door")
    assert status == 200
    assert payload["values"] == {"first": 7, "setpoint": 21.0, "level": 42, "lamp": False,
                                 "door": True}


def test_a_write_arrives_and_is_verified(bench):
    status, payload = bench.api.write("meter-2", setpoint=19.5)
    assert status == 200 and payload["writes"]["setpoint"]["result"] == "verified"
    assert bench.holding(2, 100) == 195
    assert bench.holding(1, 100) == 210 and bench.holding(3, 100) == 210


def test_address_zero_and_coils_are_written(bench):
    assert bench.api.write("meter-1", first=9, lamp=True)[0] == 200
    told = bench.slaves.dump()["1"]
    assert told["holding"]["0"] == 9 and told["coil"]["0"] == 1


def test_a_value_of_two_registers_is_one_request_in_its_order(bench):
    assert bench.api.write("meter-3", energy=0x12345678)[0] == 200
    told = bench.slaves.dump()["3"]
    assert told["writes"][-1] == ["holding", 110, [0x5678, 0x1234]]
    assert bench.api.read("meter-3", "energy")[1]["values"] == {"energy": 0x12345678}
    assert bench.api.write("meter-3", factor=-2.5)[0] == 200
    assert bench.api.read("meter-3", "factor")[1]["values"]["factor"] == -2.5


def test_bits_leave_their_neighbours_alone(bench):
    assert bench.api.write("meter-1", fan=5)[0] == 200
    assert bench.holding(1, 130) == (0xFF0F & ~0x70) | 5 << 4


def test_a_device_that_rounds_is_adjusted_within_the_tolerance(bench):
    status, payload = bench.api.write("meter-1", hint=42)
    assert status == 200, payload
    assert payload["writes"]["hint"]["result"] == "adjusted"
    assert payload["writes"]["hint"]["value"] == 40


def test_a_device_that_accepts_and_forgets_is_a_mismatch(bench):
    status, payload = bench.api.write("meter-1", stubborn=8)
    assert (status, payload["error"]["code"]) == (409, "VerifyMismatch")
    assert payload["writes"]["stubborn"]["result"] == "mismatch"
    writes = [write for write in bench.slaves.dump()["1"]["writes"] if write[1] == 121]
    assert len(writes) == 2, "one repeat, never a fight"


def test_a_missing_register_is_an_exception_in_words(bench):
    status, payload = bench.api.write("meter-1", missing=1)
    assert (status, payload["error"]["code"]) == (502, "DeviceException")
    assert payload["writes"]["missing"]["result"] == "refused"


def test_a_missing_unit_is_a_timeout(bench):
    status, payload = bench.api.write("meter-4", setpoint=20)
    assert status == 504 and payload["error"]["code"] == "DeviceTimeout"
    assert bench.api.write("meter-1", setpoint=20)[0] == 200


def test_a_job_over_all_units_tells_each_apart(bench):
    bench.api.submit("all", type="scheduleDeviceMethod", queryCondition="*",
                     cloudToDeviceMethod={"methodName": "setBoth",
                                          "payload": {"setpoint": 23, "mode": 2}})
    job = bench.api.finished("all")
    assert job["deviceJobStatistics"]["succeededCount"] == 3
    assert job["deviceJobStatistics"]["failedCount"] == 1
    for number in (1, 2, 3):
        assert bench.holding(number, 100) == 230 and bench.holding(number, 101) == 2


def test_an_endpoint_that_goes_away_is_line_down_and_others_go_on(world):
    plant, cellar = world.slaves({"1": unit()}, tcp=True), world.slaves({"1": unit()}, tcp=True)
    config = world.site([tcp("plant", plant.tcp_port), tcp("cellar", cellar.tcp_port)],
                        [devices("pump", "plant", 1, "meter"),
                         devices("boiler", "cellar", 1, "meter")], [PROFILE])
    api = world.api(world.gateway(config))
    assert api.write("pump", setpoint=20)[0] == 200
    plant.stop()
    status, payload = api.write("pump", setpoint=21)
    assert (status, payload["error"]["code"]) == (503, "LineDown")
    assert api.write("boiler", setpoint=21)[0] == 200
