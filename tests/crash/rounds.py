"""A job of some kind, kill -9 in the middle of it, the next start, and what must be true then.

Every device has exactly one true outcome: what it says is compared with what the devices saw on
the wire, with the records of the API and with what a back end has heard over MQTT.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))

from world import KILLED, ROOM, devices, rtu, until  # noqa: E402

COUNT = 6
IDS = [f"room-{number}" for number in range(1, COUNT + 1)]
CONTROL, SETPOINT, OCCUPIED = 199, 100, "0"  # addresses of ROOM


def command(number):
    return dict(type="scheduleDeviceMethod", queryCondition="*",
                cloudToDeviceMethod={"methodName": "command", "payload": {"value": number}})


def comfort(number):
    return dict(type="scheduleDeviceMethod", queryCondition="*",
                cloudToDeviceMethod={"methodName": "setComfort",
                                     "payload": {"setpoint": 10 + number % 200 / 10}})


def twin(number):
    return dict(type="scheduleUpdateTwin", queryCondition="*",
                updateTwin={"properties": {"desired": {"setpoint": 10 + number % 200 / 10}}})


def ring(_number):
    return dict(type="scheduleDeviceMethod", queryCondition="*",
                cloudToDeviceMethod={"methodName": "ring", "payload": None})


KINDS = [command, comfort, twin, ring]


def writes(device, table, address):
    """The values that were written to an address, in order."""
    seen = []
    for write in device["writes"]:
        at = address - write["address"]
        if write["table"] == table and 0 <= at < len(write["values"]):
            seen.append(write["values"][at])
    return seen


def judge(kind, number, outcome, device):
    """What is wrong with an outcome, judged by what the device saw; None when it is true."""
    done = outcome["status"] == "completed"
    code = outcome.get("error", {}).get("code")
    if kind is command:
        sent = writes(device, "holding", CONTROL).count(number)
        if sent > 1:
            return f"the command was obeyed {sent} times"
        if done != (sent == 1) and code != "OutcomeUnknown":
            return f"the command was obeyed {sent} times"
    if kind in (comfort, twin):
        value = round((10 + number % 200 / 10) * 10)
        if not done:
            return "a state can always be written again"
        if device["holding"][str(SETPOINT)] != value:
            return f"the setpoint is {device['holding'][str(SETPOINT)]}, wanted {value}"
    if kind is ring and device["coil"].get(OCCUPIED, 0) != 0:
        return "the pulse was left on"
    if kind is ring and not done and code != "OutcomeUnknown":
        return "the pulse can only be unknown"
    return None


class Floor:
    """Some rooms on a line, played by our simulator or by pymodbus, and a gateway that is killed."""

    def __init__(self, world, independent=False):
        self.world = world
        self.broker = world.broker()
        if independent:
            room = {"holding": {"100": 210, "101": 0, "199": 0}, "input": {"10": 1},
                    "coil": {OCCUPIED: 0}}
            self.players = world.slaves({str(unit): room for unit in range(1, COUNT + 1)})
            line = rtu("floor3", self.players.port, baud=115200, more=KILLED)
        else:
            line = rtu("floor3", baud=115200, more=KILLED)
        self.config = world.site([line], [devices("room-#", "floor3", f"1-{COUNT}")], [ROOM],
                                 self.broker)
        if not independent:
            self.players = world.sim(self.config)
        self.options = () if independent else ("--lines", self.players.lines)
        self.independent = independent
        self.backend = world.backend(self.broker)
        self.gateway = None

    def start(self, **more):
        self.gateway = self.world.gateway(self.config, *self.options, **more)

    def begin(self, **more):
        self.backend.forget("gateways/")
        self.start(**more)
        self.backend.online()

    def kill(self):
        self.gateway.child.kill()
        self.gateway.child.wait()

    def seen(self):
        """What each device saw, by its id."""
        dump = self.players.dump()
        if not self.independent:
            return dump["devices"]
        return {f"room-{unit}": {**one, "writes": [
            {"table": table, "address": address, "values": values}
            for table, address, values in one["writes"]]} for unit, one in dump.items()}

    def told(self, job, outcomes, story):
        """MQTT says the same as the records, also where the kill came before the publishing."""
        until(lambda: sorted(self.backend.outcomes(job)) == IDS, what=f"{story}: outcomes by MQTT")
        until(lambda: self.backend.share(job)["status"] == "completed", what=f"{story}: its share")
        copies = {}
        for message in self.backend.all(f"jobs/{job}/outcomes/"):
            assert copies.setdefault(message.topic, message.payload) == message.payload, story
        for name, message in self.backend.outcomes(job).items():
            assert message["seq"] and message["status"] == outcomes[name]["status"], story
            assert message["outcome"] == outcomes[name]["outcome"], story

    def judge(self, kind, number, job, story):
        """After the next start: the codes of the outcomes, once all of them are true."""
        api = self.world.api(self.gateway)
        until(lambda: api.get(f"/jobs/v2/{job}")[0] == 200, what=f"{story}: {job} is known again")
        ended = api.finished(job)
        outcomes, seen = api.outcomes(job), self.seen()
        assert ended["status"] == "completed", (story, ended)
        assert sorted(outcomes) == IDS, (story, sorted(outcomes))
        for name, outcome in outcomes.items():
            wrong = judge(kind, number, outcome, seen[name])
            if wrong:
                raise AssertionError(f"{story}: {name}: {wrong}\n{json.dumps(outcome)}\n"
                                     f"{seen[name]['writes'][-8:]}")
        self.told(job, outcomes, story)
        statistics = ended["deviceJobStatistics"]
        assert statistics["deviceCount"] == COUNT
        assert statistics["succeededCount"] + statistics["failedCount"] == COUNT
        return [outcome.get("error", {}).get("code", "completed") for outcome in outcomes.values()]
