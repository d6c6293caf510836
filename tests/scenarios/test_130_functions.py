"""Which functions a plan goes out by, as pymodbus was asked: merging, masks, write and read."""
import pytest

from world import World, devices, rtu, tcp

POINTS = """
  points = {
    a      = { holding = 100; };
    b      = { holding = 101; type = "float32"; };
    c      = { holding = 103; type = "int16"; };
    far    = { holding = 110; };
    alone  = { holding = 104; join = false; };
    fan    = { holding = 130; bits = [ 4, 3 ]; };
    lamp   = { holding = 130; bits = [ 0, 1 ]; };
    late   = { holding = 111; settle = 0.1; };
    worn   = { holding = 112; if_different = true; };
    absent = { holding = 141; };
    last   = { holding = 140; };
    coil0  = { coil = 0; };  coil1 = { coil = 1; };
  };
  methods = {
    inOrder = { steps = ( { write = "c"; value = 1; }, { write = "a"; value = 2; } ); };
    parted  = { steps = ( { write = "a"; value = 1; }, { wait = 0.05; }, { write = "b"; value = 2.0; } ); };
    flash   = { steps = ( { pulse = "far"; value = 9; seconds = 0.1; } ); };
  };
"""
PROFILES = [f'profile = {{ name = "{name}"; {functions} {POINTS} }};' for name, functions in (
    ("plain", ""),
    ("able", "functions = [ 1, 3, 5, 6, 15, 16, 22, 23 ];"),
    ("old", "functions = [ 1, 3, 5, 16 ];"),
    ("new", "functions = [ 1, 3, 15, 16, 23 ];"))]
PLAIN, ABLE, OLD, NEW = "1", "2", "3", "4"


class Bench:
    def __init__(self, world, kind):
        registers = {str(key): 0 for key in (100, 101, 102, 103, 104, 110, 111, 112, 140)}
        self.slaves = world.slaves({unit: {"holding": {**registers, "130": 0xFF0F},
                                           "coil": {"0": 0, "1": 0}}
                                    for unit in (PLAIN, ABLE, OLD, NEW)}, tcp=kind == "tcp")
        line = tcp("bus", self.slaves.tcp_port) if kind == "tcp" else \
            rtu("bus", self.slaves.port, mode="8N2")
        config = world.site([line], [devices(name, "bus", int(unit), name) for name, unit in (
            ("plain", PLAIN), ("able", ABLE), ("old", OLD), ("new", NEW))], PROFILES)
        self.api = world.api(world.gateway(config))

    def asked(self, unit, action):
        """What the action gave, and the functions that the unit was asked for meanwhile."""
        before = len(self.slaves.dump()[unit]["functions"])
        told = action()
        return told, self.slaves.dump()[unit]["functions"][before:]

    def write(self, device, **values):
        unit = {"plain": PLAIN, "able": ABLE, "old": OLD, "new": NEW}[device]
        (status, payload), asked = self.asked(unit, lambda: self.api.write(device, **values))
        assert status == 200, payload
        assert {entry["result"] for entry in payload["writes"].values()} == {"verified"}
        return asked


@pytest.fixture(scope="module", params=["rtu", "tcp"])
def bench(request):
    with World() as world:
        yield Bench(world, request.param)


def test_neighbours_are_one_write_and_one_read(bench):
    assert bench.write("plain", c=-3, a=1, b=1.5) == [[16, 100, 4], [3, 100, 4]]


def test_what_does_not_join_or_adjoin_goes_alone(bench):
    asked = bench.write("plain", c=4, alone=5, far=6)
    assert asked == [[6, 103, 1], [3, 103, 1], [6, 104, 1], [3, 104, 1], [6, 110, 1], [3, 110, 1]]


def test_a_method_keeps_the_order_of_its_steps(bench):
    _, asked = bench.asked(PLAIN, lambda: bench.api.call("plain", "inOrder"))
    assert [code for code in asked if code[0] != 3] == [[6, 103, 1], [6, 100, 1]]


def test_a_wait_between_two_writes_keeps_them_apart(bench):
    _, asked = bench.asked(PLAIN, lambda: bench.api.call("plain", "parted"))
    assert [code for code in asked if code[0] != 3] == [[6, 100, 1], [16, 101, 2]]


def test_a_device_that_has_function_23_writes_and_reads_at_once(bench):
    assert bench.write("able", a=7, b=2.5) == [[23, 100, 3]]
    assert bench.write("able", a=8) == [[23, 100, 1]]
    assert bench.slaves.dump()[ABLE]["holding"]["100"] == 8


def test_function_23_needs_no_function_6_beside_it(bench):
    assert bench.write("new", a=7) == [[23, 100, 1]]


def test_what_has_to_settle_is_read_back_on_its_own(bench):
    assert bench.write("able", late=7) == [[6, 111, 1], [3, 111, 1]]


def test_bits_go_by_mask_where_the_device_has_it(bench):
    assert bench.write("able", fan=5, lamp=0) == [[22, 130, 1], [3, 130, 1]]
    assert bench.slaves.dump()[ABLE]["holding"]["130"] == 0xFF5E


def test_bits_are_read_fresh_and_written_where_it_has_not(bench):
    assert bench.write("old", fan=2) == [[3, 130, 1], [16, 130, 1], [3, 130, 1]]
    assert bench.slaves.dump()[OLD]["holding"]["130"] == 0xFF2F


def test_a_device_without_function_6_never_gets_one_and_a_pulse_neither(bench):
    assert bench.write("old", far=3) == [[16, 110, 1], [3, 110, 1]]
    told, asked = bench.asked(OLD, lambda: bench.api.call("old", "flash"))
    assert told[0] == 200, told
    assert asked == [[3, 110, 1], [16, 110, 1], [16, 110, 1]]
    assert bench.slaves.dump()[OLD]["holding"]["110"] == 3


def test_coils_go_together_or_one_by_one_as_the_device_takes_them(bench):
    assert bench.write("plain", coil0=True, coil1=True)[0] == [15, 0, 2]
    assert [code for code in bench.write("old", coil0=True, coil1=True) if code[0] != 1] == \
        [[5, 0, 1], [5, 1, 1]]


def test_a_merged_write_that_is_refused_is_repeated_point_by_point(bench):
    (status, payload), asked = bench.asked(
        PLAIN, lambda: bench.api.write("plain", last=1, absent=1))
    assert (status, payload["error"]["code"]) == (502, "DeviceException")
    assert payload["writes"]["last"]["result"] == "verified"
    assert payload["writes"]["absent"]["result"] == "refused"
    assert asked == [[6, 140, 1], [3, 140, 1]]
    assert bench.slaves.dump()[PLAIN]["holding"]["140"] == 1


def test_what_wears_out_is_written_only_when_it_differs(bench):
    assert bench.write("plain", worn=4) == [[3, 112, 1], [6, 112, 1], [3, 112, 1]]
    (status, payload), asked = bench.asked(PLAIN, lambda: bench.api.write("plain", worn=4))
    assert status == 200 and payload["writes"]["worn"]["result"] == "unchanged"
    assert payload["writes"]["worn"]["value"] == 4
    assert asked == [[3, 112, 1]]
