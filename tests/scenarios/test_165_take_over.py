"""Two clients of one id: each would throw off the other for ever."""
import re

import paho.mqtt.client as mqtt
import pytest

from world import ROOM, broker_group, devices, rtu, until

GIVES_WAY = "takes over as"


def steal(broker, client_id, protocol):
    """Comes with the gateway's client id, and goes when that has been thrown off."""
    thief = mqtt.Client(client_id=client_id,
                        protocol=mqtt.MQTTv5 if protocol == 5 else mqtt.MQTTv311)
    there = []
    thief.on_connect = lambda *_: there.append(True)
    thief.connect("localhost", broker.port)
    thief.loop_start()
    until(lambda: there, what="the thief is connected")
    thief.disconnect()
    thief.loop_stop()


@pytest.mark.parametrize("protocol", [5, 4])
def test_who_is_thrown_off_again_and_again_gives_way_and_says_so(world, protocol):
    broker = world.broker()
    group = broker_group(broker, world.folder, f"protocol = {protocol};")
    config = world.site([rtu("floor3")], [devices("room-#", "floor3", "1-2")], [ROOM], group)
    sim = world.sim(config)
    backend = world.backend(broker)
    gateway = world.gateway(config, "--lines", sim.lines)
    backend.online()
    client_id = re.findall(r" as (building-43-\S+) \(p", broker.text())[-1]
    for _ in range(9):  # three suffice where each comes within seconds
        backend.forget("gateways")
        steal(broker, client_id, protocol)
        until(lambda: GIVES_WAY in gateway.text() or
              backend.find("gateways/building-43",
                           lambda message: message.json["state"] == "online"), 60)
        if GIVES_WAY in gateway.text():
            break
    gateway.wait_for(GIVES_WAY)
    assert world.api(gateway).get("/jobgate/v1/status")[2]["broker"]["why"] == \
        "another client has this gateway's client id"
