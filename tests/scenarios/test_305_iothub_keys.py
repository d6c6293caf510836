"""How devices prove to the hub who they are: certificates and keys of their own."""
from hub import Hub, derive, iothub_group
from world import PATIENCE, ROOM, Tls, World, devices, free_port, rtu, until

NAMES = ["room-1", "room-2"]


class Rooms:
    def __init__(self, world, tls, group, hub):
        self.hub = hub
        self.config = world.site([rtu("bus")], [devices("room-#", "bus", "1-2")], [ROOM], group)
        self.sim = world.sim(self.config)
        self.start = lambda **more: world.gateway(self.config, "--lines", self.sim.lines, **more)


def with_certificates(world):
    tls = world.tls()
    folder = world.folder / "certificates"
    folder.mkdir(mode=0o700)
    for name in NAMES:
        request = world.folder / "request.pem"
        Tls._run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
                 folder / f"{name}.key", "-out", request)
        Tls._run("x509", "-req", "-days", "2", "-in", request, "-CA", tls.ca, "-CAkey", tls.ca_key,
                 "-CAcreateserial", "-out", folder / f"{name}.pem")
        (folder / f"{name}.key").chmod(0o600)
    hub = Hub(tls, free_port(), client_ca=tls.ca)
    world._ends.callback(hub.close)
    hub.add(*NAMES, key=False)
    group = (f'iothub = {{ host = "localhost"; port = {hub.port}; ca_file = "{tls.ca}"; '
             f'auth = "x509"; cert_file = "{folder}"; key_file = "{folder}"; }};')
    return Rooms(world, tls, group, hub), folder


def test_certificates_from_a_folder_let_devices_in():
    with World() as world:
        rooms, _ = with_certificates(world)
        rooms.start()
        until(lambda: rooms.hub.connected() == NAMES)
        assert rooms.hub.call("room-1", "setComfort", {"setpoint": 21.5})[0] == 200
        assert rooms.hub.violations == []


def test_a_key_that_others_may_read_keeps_the_gateway_from_starting():
    with World() as world:
        rooms, folder = with_certificates(world)
        (folder / "room-2.key").chmod(0o644)
        gateway = rooms.start(wait=False)
        assert gateway.child.wait(PATIENCE) == 2
        assert "room-2.key may be read by others (mode 0644); chmod 0600" in gateway.text()
        folder.chmod(0o755)
        checked = world.command("check", "--config", rooms.config)
        assert checked.returncode == 2 and "may be entered or changed by others" in checked.stderr


def test_a_file_of_keys_serves_each_device_with_its_own():
    with World() as world:
        hub = Hub(world.tls(), free_port())
        world._ends.callback(hub.close)
        hub.add(*NAMES)
        lines = [f"{name} {derive(hub.group_key, name)}" for name in ["elsewhere", *NAMES]]
        group = iothub_group(hub, world.folder, auth="device-keys",
                             key_text="# of building 43\n\n" + "\n".join(lines))
        rooms = Rooms(world, hub.tls, group, hub)
        rooms.start()
        until(lambda: hub.connected() == NAMES)
        assert hub.violations == []


def test_a_device_without_a_key_is_named_at_the_start():
    with World() as world:
        hub = Hub(world.tls(), free_port())
        world._ends.callback(hub.close)
        group = iothub_group(hub, world.folder, auth="device-keys", key_text="room-1 c2VjcmV0")
        gateway = Rooms(world, hub.tls, group, hub).start(wait=False)
        assert gateway.child.wait(PATIENCE) == 2
        assert "has no key for 1 device, the first is room-2" in gateway.text()
