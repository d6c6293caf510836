"""What the broker must hear: outcomes, last shares and answers, over losses of broker and gateway."""
import signal
import sqlite3
import time
import uuid

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from small import Small
from world import KILLED, ROOM, devices, rtu, tcp, until

IDS = [f"room-{number:02}" for number in range(1, 32)]


def comfort(setpoint):
    return dict(type="scheduleDeviceMethod", queryCondition="*",
                cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": setpoint}})


# What the broker has acknowledged is on its way to the back end, and not lost with the broker.
UNLIMITED = ["max_inflight_messages 0"]


class Floor:
    """31 rooms on one line, a broker and a gateway that can be taken away."""

    def __init__(self, world):
        self.world = world
        self.broker = world.broker(more=UNLIMITED)
        self.config = world.site([rtu("floor3", baud=57600, more=KILLED)],
                                 [devices("room-##", "floor3", "1-31")], [ROOM], self.broker)
        self.sim = world.sim(self.config)
        self.heard = []
        self.listen()
        self.begin()

    def begin(self):
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines)
        self.api = self.world.api(self.gateway)

    def listen(self):
        self.backend = self.world.backend(self.broker)

    def kill(self):
        self.gateway.child.kill()
        self.gateway.child.wait()

    def broker_goes(self):
        self.broker.child.kill()
        self.broker.child.wait()
        self.backend.lost_broker()
        self.heard += self.backend.heard

    def broker_comes(self):
        self.broker = self.world.broker(port=self.broker.port, more=UNLIMITED)
        self.listen()

    def outbox(self):
        return self.api.get("/jobgate/v1/status")[2]["outbox"]

    def told(self):
        """The broker has everything, and the gateway has kept that it has."""
        until(lambda: self.outbox()["untold"] == 0, what="all is told", pause=0.1)
        until(lambda: self.api.get("/jobgate/v1/status")[2]["store"]["waiting"] == 0,
              what="all is kept", pause=0.1)

    def kept(self):
        """What the store holds: {device: text} of all outcomes."""
        store = sqlite3.connect(f"file:{self.config.parent}/state/jobgate.db?mode=ro", uri=True)
        try:
            return dict(store.execute("SELECT device, outcome FROM task WHERE outcome NOT NULL"))
        finally:
            store.close()


def ends(messages):
    return [message for message in messages
            if "/outcomes/" in message.topic or "/gateways/building-43" in message.topic
            and "/jobs/" in message.topic and message.payload
            and message.json["status"] == "completed"]


def test_outcomes_survive_the_loss_of_broker_and_gateway(world):
    floor = Floor(world)
    floor.backend.online()
    floor.backend.submit("night", **comfort(21.5))
    until(lambda: floor.backend.outcomes("night"), what="the first outcome")
    floor.broker_goes()
    for _ in range(2):
        time.sleep(0.4)
        floor.kill()
        floor.begin()
    assert floor.api.finished("night")["status"] == "completed"
    until(lambda: len(floor.kept()) == 31, what="31 outcomes are kept")
    floor.kill()
    floor.broker_comes()
    floor.begin()
    floor.backend.share("night")
    floor.told()
    kept = floor.kept()

    last, seen, shares = 0, {}, set()
    for message in ends(floor.heard + floor.backend.heard):
        if "/gateways/" in message.topic:
            assert sorted(seen) == IDS, "the last share comes behind all outcomes"
            shares.add(message.payload)
            continue
        device = message.topic.rsplit("/", 1)[1]
        assert message.payload == kept[device], "byte for byte what the store holds"
        if device not in seen:
            assert message.json["seq"] > last, "in the order in which they ended"
            last = message.json["seq"]
        seen[device] = message
    assert sorted(seen) == IDS
    assert len(shares) == 1

    # What the broker has is not told again, after a kill or a clean stop.
    for stop in (floor.kill, lambda: floor.gateway.stop()):
        stop()
        floor.backend.forget()
        floor.begin()
        floor.backend.online()
        assert floor.backend.call("room-01", "setHint", {"hint": 7})["status"] == 200
        assert not ends(floor.backend.heard)
        floor.told()


def test_what_arrives_just_before_a_stop_is_not_told_again(world):
    floor = Floor(world)
    floor.backend.online()
    floor.backend.submit("night", **comfort(20.5))
    floor.backend.share("night")
    until(lambda: floor.outbox()["messages"] == 0, what="all is acknowledged")
    assert floor.gateway.stop() == 0
    floor.backend.forget()
    floor.begin()
    floor.backend.online()
    assert floor.outbox()["untold"] == 0
    assert floor.backend.call("room-01", "setHint", {"hint": 7})["status"] == 200
    assert not ends(floor.backend.heard)


def test_a_call_is_answered_though_the_gateway_died_in_the_midst_of_it(world):
    small = Small(world, "1-1")
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = small.backend.answers
    properties.CorrelationData = uuid.uuid4().bytes
    small.backend.publish("devices/room-1/methods/linger", None, properties=properties)
    until(lambda: small.sim.device("room-1")["written"] > 0, what="it has begun")
    time.sleep(0.5)  # what it did is safe
    small.gateway.child.kill()
    small.gateway.child.wait()
    gateway = world.gateway(small.config, "--lines", small.sim.lines)
    answer = small.backend.answer(properties.CorrelationData)
    assert answer["status"] == 200, answer
    api = world.api(gateway)
    until(lambda: api.get("/jobgate/v1/status")[2]["outbox"]["untold"] == 0, what="it is told")
    assert gateway.stop() == 0
    small.backend.forget()
    world.gateway(small.config, "--lines", small.sim.lines)
    small.backend.online()
    assert small.backend.call("room-1", "setHint", {"hint": 7})["status"] == 200
    assert len([message for message in small.backend.heard
                if message.topic == small.backend.answers]) == 1, "that of the second call alone"


def test_a_full_outbox_loses_values_and_no_outcome(world):
    """The broker hangs. Tags are patched, which takes no wire, until a megabyte is full."""
    broker = world.broker()
    config = world.site([rtu("floor3", baud=115200), tcp("plant", 1)],
                        [devices("room-##", "floor3", "1-10"),
                         devices("pump-###", "plant", "1-200", tags='kind = "pump";')],
                        [ROOM], broker, extra="store = { outbox_mb = 1; };")
    sim = world.sim(config)
    gateway = world.gateway(config, "--lines", sim.lines)
    api = world.api(gateway)
    backend = world.backend(broker)
    backend.online()
    api.submit("first", type="scheduleUpdateTwin", queryCondition="tags.floor = 3",
               updateTwin={"properties": {"desired": {"setpoint": 20}}})
    backend.share("first")

    def outbox():
        return api.get("/jobgate/v1/status")[2]["outbox"]

    until(lambda: outbox()["untold"] == 0, what="all is told")
    broker.child.send_signal(signal.SIGSTOP)
    try:
        api.submit("values", type="scheduleUpdateTwin", queryCondition="tags.floor = 3",
                   updateTwin={"properties": {"desired": {"setpoint": 25}}})
        api.finished("values")
        jobs = 0
        while outbox()["untold"] <= outbox()["messages"] + 400:
            jobs += 1
            assert jobs < 40, outbox()
            api.submit(f"tags-{jobs}", type="scheduleUpdateTwin",
                       queryCondition="tags.kind = 'pump'",
                       updateTwin={"tags": {"round": jobs, "text": "x" * 200}})
            api.finished(f"tags-{jobs}")
        full = outbox()
        assert full["bytes"] <= full["limit"] == 1 << 20
        assert full["dropped"] > 0, "the values went first"
        assert full["untold"] >= 11 + 201 * jobs
    finally:
        broker.child.send_signal(signal.SIGCONT)
    until(lambda: outbox()["untold"] == 0, what="all is told", pause=0.2)
    backend.share(f"tags-{jobs}")  # the broker has it all, and hands it on

    last = 0
    for message in backend.all("jobs/"):
        if "/outcomes/" in message.topic:
            assert message.json["seq"] > last
            last = message.json["seq"]
    for job in ["values"] + [f"tags-{number}" for number in range(1, jobs + 1)]:
        assert len(backend.outcomes(job)) == (10 if job == "values" else 200), job
        assert backend.share(job)["status"] == "completed"
    until(lambda: backend.find("devices/room-01/reported").json["setpoint"]["value"] == 25,
          what="what was dropped is sent anew")
