"""250 devices through a restart of the hub, with nothing lost and nothing done twice."""
import time

from hub import Hub, HubError, iothub_group
from world import PATIENT, ROOM, World, devices, free_port, rtu, until

HALF = 125
NAMES = [f"{line}-{number:03}" for line in "ab" for number in range(1, HALF + 1)]
ASKED = NAMES[::25]  # these are called while the hub goes


def insist(hub, name):
    """An operator's program: repeats a call under the same requestId until it is answered."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            return hub.call(name, "command", {"value": 9, "requestId": "once"}, 60)
        except HubError:
            time.sleep(0.2)
    raise AssertionError(f"{name} was never answered")


def test_250_devices_survive_a_restart_of_the_hub():
    with World() as world:
        hub = Hub(world.tls(), free_port())
        world._ends.callback(hub.close)
        hub.add(*NAMES)
        config = world.site([rtu(line, baud=115200, more=PATIENT) for line in "ab"],
                            [devices(f"{line}-###", line, f"1-{HALF}") for line in "ab"], [ROOM],
                            iothub_group(hub, world.folder, "connect_per_s = 200;"))
        sim = world.sim(config)
        gateway = world.gateway(config, "--lines", sim.lines)
        until(lambda: len(hub.connected()) == len(NAMES), 300, "all are connected")

        calls = [hub.begin_call(name, "command", {"value": 9, "requestId": "once"}) for name in ASKED]
        hub.stop()
        until(lambda: hub.connected() == [])
        versions = {name: hub.patch(name, {"setpoint": 22.5}) for name in NAMES}
        hub.start()
        for call in calls:
            call.exception(120)  # answered in time, or not: the operator's program goes on
        assert all(insist(hub, name)[0] == 200 for name in ASKED)

        def done():
            return all(hub.reported(name).get("setpoint", {}).get("av") == versions[name]
                       for name in NAMES)
        until(done, 300, "every missed patch is acknowledged", 0.2)
        dump = sim.dump()["devices"]
        for name in NAMES:
            assert hub.reported(name)["setpoint"]["ac"] == 200
            assert dump[name]["holding"]["100"] == 225
            assert dump[name]["written"] == 1 + (name in ASKED), (name, dump[name]["writes"])
        assert hub.violations == []
        assert gateway.stop() == 0, gateway.text()[-6000:]
