"""The watchdog is fed only while every thread moves."""
import threading

import pytest

from frozen import Frozen, thread_of
from manager import Manager
from world import ROOM, devices, rtu

HANG_S = 9  # a line's thread may take 5 s more than what its devices may


@pytest.fixture(name="floor")
def floor_of(world):
    config = world.site([rtu("floor3", more="timeout_ms = 1000; timeout_min_ms = 1000;")],
                        [devices("room-#", "floor3", "1-2")], [ROOM])
    sim = world.sim(config)
    with Manager(world.folder) as manager:
        gateway = world.gateway(config, "--lines", sim.lines, wait=False,
                                env={"NOTIFY_SOCKET": str(manager.path),
                                     "WATCHDOG_USEC": "1000000"})
        assert manager.hears("READY=1")
        yield manager, gateway, world.api(gateway)


def frozen(gateway, name):
    thread = thread_of(gateway.child.pid, name)
    try:
        with Frozen(thread):
            pass
    except PermissionError:
        pytest.skip("this container allows no ptrace")
    return Frozen(thread)


def test_a_line_that_hangs_is_not_fed_for(floor):
    manager, gateway, api = floor
    assert api.read("room-1", "setpoint")[0] == 200
    asking = threading.Thread(target=api.read, args=("room-1", "setpoint"))
    try:
        with frozen(gateway, "floor3"):
            asking.start()
            gateway.wait_for("the thread of floor3")
            manager.forget()
            assert not manager.hears("WATCHDOG=1", 2)
        assert manager.hears("WATCHDOG=1")
    finally:
        asking.join()
    gateway.wait_for("all threads move again")


def test_a_line_without_work_and_a_silent_device_are_well(floor):
    manager, gateway, api = floor
    gateway.wait_for("line floor3: up")
    manager.forget()
    assert all(manager.hears("WATCHDOG=1") for _ in range(int(HANG_S / 0.5)))
    assert "over its time" not in gateway.text()
    assert api.read("room-1", "setpoint")[0] == 200
