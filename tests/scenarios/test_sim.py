"""The simulator as an independent make of Modbus (pymodbus) sees it, on a pty and over TCP."""
import json
import time

import pytest
from pymodbus.client import ModbusSerialClient, ModbusTcpClient

from world import until

PROFILE = """
profile = {
  name = "room-controller";
  points = {
    setpoint = { holding = 100; type = "int16"; scale = 0.1; min = 10.0; max = 30.0; };
    mode     = { holding = 101; values = { off = 0; heat = 1; auto = 3; }; };
    fanSpeed = { holding = 102; bits = [ 4, 3 ]; };
    control  = { holding = 103; access = "w"; };
    state    = { input = 10; };
    occupied = { coil = 0; };
    alarm    = { discrete = 4; };
  };
  methods = { reboot = { repeatable = false; steps = ( { write = "control"; value = 0x55AA; },
                                                       { wait = 0.2; },
                                                       { expect = "state"; value = 1; within = 30.0; } ); }; };
};
"""
# pymodbus would insist on parity, which a pseudo-terminal does not have: 8N2 has as many bits.
LINES = [
    '{ name = "floor3"; adapter = "modbus-rtu"; port = "/dev/none"; baud = 19200; mode = "8N2"; }',
    '{ name = "plant"; adapter = "modbus-tcp"; host = "192.0.2.10"; }',
]
DEVICES = [
    '{ id = "room-#"; line = "floor3"; units = "1-3"; profile = "room-controller"; }',
    '{ id = "pump-#"; line = "plant"; units = "1-3"; profile = "room-controller"; }',
]


@pytest.fixture(params=["floor3", "plant"])
def stage(request, world):
    return Stage(world, request.param)


class Stage:
    """A simulated site and a client on one of its lines."""

    def __init__(self, world, line):
        self.world, self.line = world, line
        self.names = "room-" if line == "floor3" else "pump-"
        self.config = world.site(LINES, DEVICES, [PROFILE])

    def play(self, *options):
        self.sim = self.world.sim(self.config, *options)
        where = json.loads((self.sim.lines / "lines.json").read_text())["lines"][self.line]
        if self.line == "plant":
            client = ModbusTcpClient(where["host"], port=where["port"], timeout=10)
        else:
            client = ModbusSerialClient(where["port"], baudrate=19200, parity="N", stopbits=2,
                                        timeout=10)
        assert client.connect()
        return client

    def device(self, number):
        return self.sim.device(f"{self.names}{number}")


def test_every_function_code_works_with_another_make(stage):
    client = stage.play()
    assert client.read_holding_registers(100, 4, slave=2).registers == [100, 0, 0, 0]
    assert client.read_input_registers(10, 1, slave=2).registers == [0]
    assert client.read_coils(0, 1, slave=2).bits[0] is False
    assert client.read_discrete_inputs(4, 1, slave=2).bits[0] is False
    assert not client.write_register(100, 215, slave=2).isError()
    assert not client.write_registers(100, [220, 3], slave=2).isError()
    assert not client.write_coil(0, True, slave=2).isError()
    assert not client.write_coils(0, [False], slave=2).isError()
    assert not client.mask_write_register(102, 0xFF8F, 0x0050, unit=2).isError()
    both = client.readwrite_registers(read_address=100, read_count=3, write_address=101,
                                      write_registers=[1], unit=2)
    assert both.registers == [220, 1, 0x0050]
    client.close()
    seen = stage.device(2)
    assert [write["function"] for write in seen["writes"]] == [6, 16, 5, 15, 22, 23]
    assert seen["writes"][1]["values"] == [220, 3]
    assert seen["requests"] == 10
    assert stage.device(1)["requests"] == 0


def test_what_is_not_there_is_an_exception(stage):
    client = stage.play()
    assert client.read_holding_registers(104, 1, slave=1).exception_code == 2
    assert client.read_holding_registers(100, 5, slave=1).exception_code == 2
    client.close()


def test_a_restart_takes_its_time_and_shows_afterwards(stage):
    client = stage.play("--reboot", "9000")
    assert client.read_input_registers(10, 1, slave=1).registers == [0]
    begun = time.monotonic()
    assert not client.write_register(103, 0x55AA, slave=1).isError()
    assert client.read_input_registers(10, 1, slave=1).isError()
    until(lambda: not client.read_input_registers(10, 1, slave=1).isError(), what="it is back")
    assert time.monotonic() - begun > 9
    assert client.read_input_registers(10, 1, slave=1).registers == [1]
    assert client.read_holding_registers(103, 1, slave=1).registers == [0]
    client.close()
    assert stage.device(1)["reboots"] == 1


def test_faults_strike_the_devices_that_were_named(stage):
    client = stage.play("--dead", stage.names + "1", "--exception", stage.names + "2=4", "--slow",
                        stage.names + "3=300")
    assert client.read_coils(0, 1, slave=1).isError()
    assert client.write_register(100, 215, slave=2).exception_code == 4
    begun = time.monotonic()
    assert client.read_coils(0, 1, slave=3).bits[0] is False
    assert time.monotonic() - begun >= 0.3
    client.close()
    assert stage.device(2)["holding"]["100"] == 100


def test_it_ends_cleanly_and_writes_its_record(stage):
    client = stage.play()
    client.close()
    assert stage.sim.stop() == 0
    assert set(json.loads(stage.sim.dump_file.read_text())["lines"]) == {"floor3", "plant"}
    assert not list(stage.sim.lines.iterdir())


def test_a_wrong_command_line_is_exit_2_and_says_why(world):
    config = world.site(LINES, DEVICES, [PROFILE])
    for words, why in ((("--dead", "room-9"), 'no device "room-9"'),
                       (("--drop", "200"), "--drop"), (("--slow", "room-1"), "ID=MS")):
        ended = world.command("sim", "--config", config, "--dir", world.folder / "l", *words)
        assert ended.returncode == 2
        assert why in ended.stderr
