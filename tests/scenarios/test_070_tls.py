"""TLS and passwords towards the broker."""
import pytest

from world import ROOM, Tls, broker_group, devices, rtu, until


def start(world, broker, group=None):
    config = world.site([rtu("floor3")], [devices("room-#", "floor3", "1-2")], [ROOM],
                        group or broker)
    sim = world.sim(config)
    return world.gateway(config, "--lines", sim.lines)


def test_a_call_travels_over_tls_with_a_client_certificate(world):
    broker = world.broker(tls=world.tls(ask_client=True))
    start(world, broker)
    backend = world.backend(broker)
    backend.online()
    assert backend.call("room-1", "setComfort", {"setpoint": 20})["status"] == 200


def test_a_call_travels_over_tls_and_mqtt_3(world):
    broker = world.broker(tls=world.tls())
    start(world, broker, broker_group(broker, world.folder, "protocol = 4;"))
    backend = world.backend(broker, protocol=4)
    backend.online()
    assert backend.call_by_id("room-1", "setComfort", "r1", {"setpoint": 20})["status"] == 200


def test_a_broker_with_another_name_in_its_certificate_is_not_trusted(world):
    broker = world.broker(tls=world.tls(host="elsewhere.example"))
    gateway = start(world, broker)
    never_online(world, broker, gateway)


def test_a_broker_of_another_authority_is_not_trusted(world):
    broker = world.broker(tls=world.tls())
    other = world.folder / "other"
    other.mkdir()
    strange = Tls(other)
    gateway = start(world, broker,
                    f'broker = {{ url = "{broker.url}"; ca_file = "{strange.ca}"; }};')
    never_online(world, broker, gateway)


def never_online(world, broker, gateway):
    until(lambda: "broker" in gateway.text(), what="the gateway says that it is not connected")
    assert "New client connected from" not in broker.text()
    # its devices are served all the same
    assert world.api(gateway).call("room-1", "setComfort", {"setpoint": 20})[0] == 200


def test_user_and_password_are_given(world):
    broker = world.broker(password=("building-43", "secret of the floor"))
    group = broker_group(broker, world.folder)
    with open(world.folder / "broker.password", "a") as file:
        file.write("only the first line is the password\n")
    gateway = start(world, broker, group)
    backend = world.backend(broker)
    backend.online()
    assert backend.call("room-1", "setComfort", {"setpoint": 20})["status"] == 200
    assert "secret of the floor" not in gateway.text()


@pytest.mark.parametrize("protocol", [4, 5])
def test_the_last_will_tells_that_the_gateway_is_gone(world, protocol):
    broker = world.broker()
    gateway = start(world, broker, broker_group(broker, world.folder, f"protocol = {protocol};"))
    backend = world.backend(broker)
    birth = backend.online().json
    assert birth["devices"] == 2 and birth["lines"][0]["name"] == "floor3" and birth["version"]
    gateway.child.kill()
    backend.wait("gateways/building-43", lambda message: message.json["state"] == "offline")


def test_the_broker_may_go_and_come_back(world):
    broker = world.broker()
    start(world, broker)
    world.backend(broker).online()
    broker.stop()
    again = world.broker(port=broker.port)
    backend = world.backend(again)
    backend.online()
    assert backend.call("room-1", "setComfort", {"setpoint": 20})["status"] == 200
