#!/usr/bin/python3
"""./dev demo --iothub: the floor's job, come from a hub.

Starts a stand-in for IoT Hub (tests/scenarios/hub.py), a simulated building and the gateway. The
hub reboots floor 3 by a job of its own, one direct method for each device, then sets the same
desired property in each twin. Its statistics and records are compared with what the simulated
devices saw. Exit status 0 only if all of it agrees.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import sys

import demo
from demo import DEAD, REFUSES, ROOT, colour, say

PATIENCE_S = 120


def copy_site(folder, group, patient):
    """conf/demo with the hub in the broker's place."""
    site = folder / "site"
    shutil.copytree(ROOT / "conf" / "demo", site)
    config = site / "jobgate.conf"
    text, count = re.subn(r"(?m)^broker = \{.*\};$", group, config.read_text())
    assert count == 1, "conf/demo/jobgate.conf has no broker"
    for key, value in (("state", folder / "state"), ("socket", folder / "jobgate.sock")):
        text = re.sub(rf'\b{key} = "[^"]*"', f'{key} = "{value}"', text)
    config.write_text(demo.wait_longer(text) if patient else text)
    return config


def own_words(record):
    """A record of the hub as the gateway words its own: good, or the error of the answer."""
    answer = record.get("outcome", {}).get("deviceMethodResponse", {"status": 0, "payload": {}})
    if answer["status"] == 200:
        return {"status": "completed"}
    return {"status": "failed", "error": (answer["payload"] or {}).get("error") or record["error"]}


def set_twins(hub, floor, until):
    """Desired properties to all; what each device acknowledged, as records."""
    versions = {name: hub.patch(name, {"setpoint": 19.5}) for name in floor}

    def acknowledged():
        acks = {name: hub.reported(name).get("setpoint", {}) for name in floor}
        return acks if all(acks[name].get("av") == versions[name] for name in floor) else None
    acks = until(acknowledged, PATIENCE_S, "every device acknowledges its setpoint", 0.1)
    codes = {200: None, 502: "DeviceException", 504: "DeviceTimeout"}
    return {name: {"status": "completed"} if ack["ac"] == 200 else
            {"status": "failed", "error": {"code": codes.get(ack["ac"], str(ack["ac"]))}}
            for name, ack in acks.items()}


def compare(hub, before, after, reboot, setpoint):
    wrong = demo.print_table(before, after, reboot, setpoint, hub.reported)
    for name in (DEAD, REFUSES):
        if demo.code_of(reboot[name]) == "completed" or demo.code_of(setpoint[name]) == "completed":
            wrong.append(f"{name} cannot have succeeded")
    return wrong + [f"the hub's rules were broken: {text}" for text in hub.violations]


def run(world, patient):
    from hub import Hub, iothub_group
    from world import free_port, until
    hub = Hub(world.tls(), free_port())
    world._ends.callback(hub.close)
    group = iothub_group(hub, world.folder, f"connect_per_s = 50; method_timeout_s = {PATIENCE_S};")
    config = copy_site(world.folder, group, patient)
    say(f"building 43 as devices of a hub; {DEAD} is dead, {REFUSES} refuses every request")
    sim = world.sim(config, "--dead", DEAD, "--exception", f"{REFUSES}=2")
    before = sim.dump()
    hub.add(*before["devices"])
    gateway = world.gateway(config, "--lines", sim.lines, socket_path=world.folder / "jobgate.sock")
    until(lambda: len(hub.connected()) == len(before["devices"]), PATIENCE_S, "all devices are connected")
    say(f"{len(hub.connected())} devices are connected to the hub, each by its own key")
    floor = sorted(name for name in before["devices"] if name.startswith("floor3-"))

    say(f"\n{colour(1, 'reboot-floor-3')}: the hub calls reboot on {len(floor)} devices")
    statistics, records = hub.job(floor, "reboot", None, PATIENCE_S)
    reboot = {name: own_words(record) for name, record in records.items()}
    good = sum(record["status"] == "completed" for record in reboot.values())
    say(f"  {statistics}\n  answered with 200: {good}, with an error: {len(floor) - good}")
    say(f"\n{colour(1, 'setback-floor-3')}: setpoint 19.5 in {len(floor)} twins")
    setpoint = set_twins(hub, floor, until)

    after = sim.dump()
    wrong = compare(hub, before, after, reboot, setpoint)
    seen = sum(after["devices"][name]["reboots"] for name in floor)
    if good != seen or statistics["deviceCount"] != len(floor):
        wrong.append(f"{good} answers are good, {seen} devices rebooted: {statistics}")
    status = gateway.stop()
    if status != 0:
        wrong.append(f"the gateway ended with {status}")
    for sentence in wrong:
        say(colour(31, sentence))
    if wrong:
        say(f"\n{colour(31, 'the hub and the devices do not agree')}:\n{world.logs()}")
        return 1
    say(colour(32, f"\nthe hub's statistics agree with the devices: {len(floor)} asked, {seen} rebooted, "
                   f"{len(floor) - seen} told why not; floor 2 was not touched"))
    return 0


def main():
    parser = argparse.ArgumentParser(usage="./dev demo --iothub")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "jobgate")
    parser.add_argument("--patient", action="store_true", help="wait long for each answer")
    wanted = parser.parse_args()
    os.environ["JOBGATE"] = str(wanted.program.resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the world is cleaned up
    from world import World  # reads JOBGATE
    with World() as world:
        try:
            return run(world, wanted.patient)
        except (AssertionError, KeyboardInterrupt) as trouble:
            say(f"demo: {trouble or 'interrupted'}\n{world.logs()}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
