"""kill -9 at random moments of a job's life, and the next start.

Each round submits one job of another kind over MQTT, kills the gateway some moments later and
starts it again. Then every device must have exactly one true outcome: what it says is compared
with what the simulated devices saw on the wire. The moments come from a seed (JOBGATE_SEED);
JOBGATE_KILLS says how many there are.
"""
import json
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scenarios"))

from world import ROOM, World, devices, rtu, until  # noqa: E402

KILLS = int(os.environ.get("JOBGATE_KILLS", "100" if os.environ.get("JOBGATE_ALL") else "30"))
SEED = int(os.environ.get("JOBGATE_SEED", "43"))
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


class Crashes:
    def __init__(self, world):
        self.world = world
        self.random = random.Random(SEED)
        self.broker = world.broker()
        self.config = world.site([rtu("floor3", baud=115200, more="timeout_ms = 200;")],
                                 [devices("room-#", "floor3", f"1-{COUNT}")], [ROOM], self.broker)
        self.sim = world.sim(self.config)
        self.backend = world.backend(self.broker)
        self.gateway = None
        self.begin()

    def begin(self):
        self.backend.forget("gateways/")
        self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines)
        self.backend.online()

    def kill(self):
        self.gateway.child.kill()
        self.gateway.child.wait()

    def told(self, job, outcomes, story):
        """MQTT says the same as the records, also where the kill came before the publishing."""
        until(lambda: sorted(self.backend.outcomes(job)) == IDS, what=f"{story}: outcomes by MQTT")
        assert self.backend.share(job)["status"] == "completed", story
        copies = {}
        for message in self.backend.all(f"jobs/{job}/outcomes/"):
            assert copies.setdefault(message.topic, message.payload) == message.payload, story
        for name, message in self.backend.outcomes(job).items():
            assert message["seq"] and message["status"] == outcomes[name]["status"], story
            assert message["outcome"] == outcomes[name]["outcome"], story

    def round(self, number):
        kind = KINDS[number % len(KINDS)]
        job, document = f"job-{number}", kind(number)
        self.backend.forget()
        begun = time.monotonic()
        self.backend.submit(job, **document)
        pause = self.random.random() ** 2 * 0.7
        time.sleep(pause)
        self.kill()
        if self.random.random() < 0.3:  # and once more while it gets up
            self.gateway = self.world.gateway(self.config, "--lines", self.sim.lines, wait=False)
            time.sleep(self.random.random() * 0.5)
            self.kill()
        self.begin()
        api = self.world.api(self.gateway)
        until(lambda: api.get(f"/jobs/v2/{job}")[0] == 200, what=f"{job} is known again")
        ended = api.finished(job)
        outcomes, seen = api.outcomes(job), self.sim.dump()["devices"]
        story = f"seed {SEED}, {kind.__name__} {number}, killed after {pause * 1000:.0f} ms"
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
        return time.monotonic() - begun, {outcome.get("error", {}).get("code", "completed")
                                          for outcome in outcomes.values()}


def test_after_a_kill_each_device_has_one_true_outcome():
    with World() as world:
        crashes = Crashes(world)
        told = {}
        try:
            for number in range(1, KILLS + 1):
                seconds, codes = crashes.round(number)
                for code in codes:
                    told[code] = told.get(code, 0) + 1
        except BaseException:
            print(world.logs())
            raise
        print(f"{KILLS} kills survived; outcomes: {told}")
