#!/usr/bin/python3
"""Modbus devices by pymodbus, on a pty or on TCP: slaves.py SPEC.json

SPEC: {"tcp_port": number or null, "dump": FILE, "units": {"1": {"holding": {"100": 210}, "input": {},
"coil": {}, "discrete": {}, "ignores": [101], "rounds": {"120": 5}}}}. A unit has the registers
that are named and answers exception 2 for all others. `ignores`: writes are accepted and
forgotten; `rounds`: what is written is rounded to a multiple. SIGUSR1 writes the dump: what each
unit holds, its `writes` [table, address, values] and its `functions` [code, address, count], each
request that was carried out, a write with what it wrote.
"""
import asyncio
import json
import os
import pty
import signal
import sys
import tty

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer


class Block(ModbusSparseDataBlock):
    def __init__(self, table, registers, unit, writes):
        super().__init__({int(key): value for key, value in registers.items()} or {65535: 0})
        self.table, self.unit, self.log = table, unit, writes

    def setValues(self, address, values, use_as_default=False):  # pymodbus's name
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        if hasattr(self, "log"):
            self.log.append([self.table, address, [int(value) for value in values]])
            for offset, value in enumerate(values):
                if address + offset in self.unit.get("ignores", []):
                    values[offset] = self.values[address + offset]
                step = self.unit.get("rounds", {}).get(str(address + offset))
                if step:
                    values[offset] = round(value / step) * step
        super().setValues(address, values, use_as_default)


class Slave(ModbusSlaveContext):
    """Remembers by which function its registers were reached."""

    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self.functions = []

    def getValues(self, fc_as_hex, address, count=1):
        if fc_as_hex <= 4:  # pymodbus reads what it writes, too
            self.functions.append([fc_as_hex, address, count])
        return super().getValues(fc_as_hex, address, count)

    def setValues(self, fc_as_hex, address, values):
        self.functions.append([fc_as_hex, address, len(values)])
        super().setValues(fc_as_hex, address, values)


def make_unit(unit):
    writes = []
    blocks = {table: Block(table, unit.get(table, {}), unit, writes)
              for table in ("coil", "discrete", "input", "holding")}
    slave = Slave(co=blocks["coil"], di=blocks["discrete"], ir=blocks["input"],
                  hr=blocks["holding"], zero_mode=True)
    return slave, blocks, writes


def dump(path, units):
    told = {number: {**{table: {str(key): int(value) for key, value in block.values.items()}
                        for table, block in blocks.items()}, "writes": writes,
                     "functions": slave.functions}
            for number, (slave, blocks, writes) in units.items()}
    with open(path + ".new", "w") as file:
        json.dump(told, file)
    os.rename(path + ".new", path)


def relay(loop, one, other):
    """Joins two terminals: what is written to one is read from the other."""
    def carry(source, target):
        try:
            os.write(target, os.read(source, 4096))
        except OSError:
            pass  # nobody has the other end open
    loop.add_reader(one, carry, one, other)
    loop.add_reader(other, carry, other, one)


async def main():
    with open(sys.argv[1]) as file:
        spec = json.load(file)
    units = {number: make_unit(unit) for number, unit in spec["units"].items()}
    context = ModbusServerContext(slaves={int(number): unit[0] for number, unit in units.items()},
                                  single=False)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, dump, spec["dump"], units)
    if spec["tcp_port"]:
        address = spec["tcp_port"]
        server = ModbusTcpServer(context, framer=ModbusSocketFramer, address=("127.0.0.1", address),
                                 ignore_missing_slaves=True, allow_reuse_address=True)
        serving = asyncio.ensure_future(server.serve_forever())
        await server.serving
    else:
        # A pty has no parity; N is what pyserial can set on one.
        ends = [pty.openpty() for _ in range(2)]
        for master, slave in ends:
            tty.setraw(slave)
            os.set_blocking(master, False)
        server = ModbusSerialServer(context, framer=ModbusRtuFramer, port=os.ttyname(ends[1][1]),
                                    baudrate=19200, parity="N", stopbits=2,
                                    ignore_missing_slaves=True)
        await server.start()
        relay(loop, ends[0][0], ends[1][0])
        serving = asyncio.ensure_future(server.serve_forever())
        address = os.ttyname(ends[0][1])
    print(f"ready {address}", flush=True)
    await serving


asyncio.run(main())
