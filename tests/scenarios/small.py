"""A small site for many facts: one line of simulated rooms, broker, gateway, API."""
from world import ROOM, devices, rtu


class Small:
    def __init__(self, world, units="1-3", sim_options=(), profiles=(ROOM,), protocol=5,
                 line_more="", more_devices=()):
        self.world = world
        self.broker = world.broker()
        self.config = world.site([rtu("floor3", more=line_more)],
                                 [devices("room-#", "floor3", units), *more_devices],
                                 list(profiles), self.broker)
        self.sim = world.sim(self.config, *sim_options)
        self.gateway = world.gateway(self.config, "--lines", self.sim.lines)
        self.api = world.api(self.gateway)
        self.backend = world.backend(self.broker, protocol=protocol)
        self.backend.online()

    def written(self, device):
        """How many writes the device saw."""
        return self.sim.device(device)["written"]
