"""A small site behind the stand-in hub, for the scenarios of IoT Hub."""
from hub import Hub, iothub_group
from world import PATIENT, ROOM, devices, free_port, rtu, until

NAMES = [f"room-{number}" for number in range(1, 5)]


class Small:
    """Four rooms on one line behind one gateway; room-4 is dead."""

    def __init__(self, world, more="", per_s=100, line=f"{PATIENT} retries = 1;"):
        self.world = world
        self.hub = Hub(world.tls(), free_port())
        world._ends.callback(self.hub.close)
        self.hub.add(*NAMES)
        group = iothub_group(self.hub, world.folder, f"connect_per_s = {per_s}; {more}")
        self.config = world.site([rtu("bus", more=line)],
                                 [devices("room-#", "bus", "1-4")], [ROOM], group)
        self.sim = world.sim(self.config, "--dead", "room-4")
        self.gateway = None

    def start(self, wait=True):
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines)
        if wait:
            self.all_connected()
        return self

    def all_connected(self, names=None):
        until(lambda: self.hub.connected() == (names or NAMES), what="all are connected")

    def holds(self, name, address):
        return self.sim.device(name)["holding"].get(str(address))

    def acknowledged(self, name, path, **wanted):
        def is_there():
            ack = self.hub.reported(name).get(path) or {}
            return ack if all(ack.get(key) == value for key, value in wanted.items()) else None
        return until(is_there, what=f"{name} acknowledges {path} with {wanted}: "
                                    f"{self.hub.reported(name)}")
