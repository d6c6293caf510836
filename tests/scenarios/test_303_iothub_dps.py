"""Registration of devices by DPS, against the stand-ins of dps.py and hub.py."""
import pytest

from dps import Dps
from hub import Hub
from world import ROOM, World, devices, free_port, rtu, until

NAMES = ["room-1", "room-2"]


@pytest.fixture
def site():
    with World() as world:
        tls = world.tls()
        hub = Hub(tls, free_port())
        dps = Dps(tls, free_port(), hub)
        world._ends.callback(hub.close)
        world._ends.callback(dps.close)
        key = world.folder / "group.key"
        key.write_text(hub.group_key)
        key.chmod(0o600)
        group = (f'iothub = {{ dps = {{ endpoint = "localhost:{dps.port}"; scope = "{dps.scope}"; }}; '
                 f'port = {hub.port}; ca_file = "{tls.ca}"; auth = "group-key"; '
                 f'key_file = "{key}"; connect_per_s = 50; }};')
        config = world.site([rtu("bus")], [devices("Room-#", "bus", "1-2")], [ROOM], group)
        sim = world.sim(config)
        yield world, hub, dps, lambda: world.gateway(config, "--lines", sim.lines)
        assert hub.violations == [] and dps.violations == [], world.logs()


def test_devices_register_and_come_to_their_hub_and_stay_there(site):
    _, hub, dps, start = site
    gateway = start()
    until(lambda: hub.connected() == NAMES)
    assert hub.call("room-1", "setComfort", {"setpoint": 21.5})[0] == 200
    assert sorted(dps.assigned) == NAMES
    assert gateway.stop() == 0
    start()
    until(lambda: hub.connected() == NAMES)
    assert sorted(dps.assigned) == NAMES, "the assigned hub is remembered"


def test_a_device_that_its_hub_forgot_registers_again(site):
    _, hub, dps, start = site
    start()
    until(lambda: hub.connected() == NAMES)
    identity = hub.identities.pop("room-2")
    hub.loop.call_soon_threadsafe(identity.link.cut)
    until(lambda: dps.assigned.count("room-2") == 2 and hub.connected() == NAMES)


def test_a_disabled_registration_is_told_with_its_reason(site):
    _, hub, dps, start = site
    dps.disabled.add("room-2")
    gateway = start()
    gateway.wait_for("DPS: the registration is disabled: disabled here")
    assert until(hub.connected) == ["room-1"]
