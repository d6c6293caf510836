#!/usr/bin/python3
"""./dev demo: a floor's job, end to end, and whether what was reported is what happened.

Starts a broker, a simulated building and the gateway; a back end (paho-mqtt) reboots floor 3 and
then moves its setpoints, both as jobs over MQTT. Every outcome is then compared with what the
simulated devices saw. Exit status 0 only if all of it agrees. With --kill the gateway is killed while
the floor reboots, and started again.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "scenarios"))

FLOOR = "tags.building = 43 AND tags.floor = 3"
DEAD, REFUSES = "floor3-room-07", "floor3-room-19"
CONTROL, SETPOINT = "199", "100"  # holding registers of conf/demo's room controller
RESTART = 0x55AA
UNTOUCHED = {"DeviceTimeout", "DeviceException", "LineDown", "Expired", "Canceled"}

REBOOT_JOB = {"type": "scheduleDirectRequest", "queryCondition": FLOOR,
              "cloudToDeviceMethod": {"methodName": "reboot", "payload": None,
                                      "responseTimeoutInSeconds": 120},
              "maxExecutionTimeInSeconds": 300}
SETPOINT_JOB = {"type": "scheduleTwinUpdate", "queryCondition": FLOOR,
                "updateTwin": {"etag": "*", "properties": {"desired": {"setpoint": 19.5}}},
                "maxExecutionTimeInSeconds": 300}


def say(text):
    print(text, flush=True)


def colour(number, text):
    return f"\033[{number}m{text}\033[0m" if sys.stdout.isatty() else text


def copy_site(folder, broker_port, patient):
    """conf/demo with the ports and paths of this run."""
    site = folder / "site"
    shutil.copytree(ROOT / "conf" / "demo", site)
    config = site / "jobgate.conf"
    text = config.read_text()
    for key, value in (("url", f"mqtt://localhost:{broker_port}"), ("state", folder / "state"),
                       ("socket", folder / "jobgate.sock")):
        text, count = re.subn(rf'\b{key} = "[^"]*"', f'{key} = "{value}"', text)
        assert count == 1, f"conf/demo/jobgate.conf has {count} settings {key}"
    config.write_text(wait_longer(text) if patient else text)
    return config


def wait_longer(text):
    """The site's text for a machine on which a simulated device may be late itself."""
    from world import PATIENT
    text, count = re.subn(r"timeout_ms = \d+;", PATIENT, text)
    assert count > 0, "conf/demo/jobgate.conf has no timeout_ms"
    return text


def watch(program, socket_path, backend, job_id, total):
    """Shows the job to its end: by `jobgate job watch`, else by what the broker tells."""
    command = [str(program), "job", "watch", job_id, "--socket", str(socket_path)]
    try:
        shown = subprocess.run(command, timeout=300, stderr=subprocess.PIPE, text=True)
        if shown.returncode in (0, 1):
            return
        say(f"(job watch: {shown.stderr.strip()})")
    except subprocess.TimeoutExpired:
        say("(job watch did not end)")
    share = backend.share(job_id)
    for device, record in sorted(backend.outcomes(job_id).items()):
        say(f"  {device}  {record['status']}  {record.get('error', {}).get('description', '')}")
    say(f"  {share['deviceJobStatistics']} of {total}")


def code_of(record):
    if record is None:
        return "no outcome"
    return record["status"] if "error" not in record else record["error"]["code"]


def judge_reboot(record, device):
    """None, or how the report differs from what the device saw."""
    orders = sum(write["values"].count(RESTART) for write in device["writes"]
                 if write["table"] == "holding" and str(write["address"]) == CONTROL)
    reboots, code = device["reboots"], code_of(record)
    if code == "completed":
        return None if reboots == 1 and orders == 1 else f"reported done, rebooted {reboots} times"
    if code in UNTOUCHED:
        return None if reboots == 0 and orders == 0 else f"reported {code}, rebooted {reboots} times"
    if code == "OutcomeUnknown":
        return None if reboots <= 1 and orders <= 1 else f"ordered {orders} times"
    return f"reported {code}, rebooted {reboots} times"


def judge_setpoint(record, device, before, reported):
    code, holds = code_of(record), device["holding"].get(SETPOINT)
    if code == "completed":
        if holds != 195:
            return f"reported done, holds {holds}"
        told = (reported or {}).get("setpoint")
        return None if isinstance(told, dict) and told.get("value") == 19.5 and \
            told.get("ac") == 200 else f"done, but its reported property is {told}"
    if code in UNTOUCHED:
        return None if holds == before else f"reported {code}, moved from {before} to {holds}"
    return f"reported {code}, holds {holds}"


def print_table(before, after, reboot, setpoint, reported):
    """What was told of each device beside what it saw; the sentences on which both differ.
    `reported` gives a device's reported document."""
    wrong = []
    say(f"\n{'device':<16}{'reboot: told':<18}{'seen':<7}{'setpoint: told':<18}{'holds':<7}agrees")
    expected = sorted(name for name in after["devices"] if name.startswith("floor3-"))
    for name in expected:
        device = after["devices"][name]
        holds = device["holding"].get(SETPOINT)
        doubts = [text for text in (
            judge_reboot(reboot.get(name), device),
            judge_setpoint(setpoint.get(name), device,
                           before["devices"][name]["holding"].get(SETPOINT), reported(name)))
                  if text]
        wrong += [f"{name}: {text}" for text in doubts]
        say(f"{name:<16}{code_of(reboot.get(name)):<18}{device['reboots']:<7}"
            f"{code_of(setpoint.get(name)):<18}{holds / 10 if holds is not None else '-':<7}"
            f"{colour(31, 'NO') if doubts else colour(32, 'yes')}")
    for name, device in after["devices"].items():
        if name not in expected and (device["writes"] or device["reboots"]):
            wrong.append(f"{name}: is on another floor, yet was written to")
    return wrong


def compare(before, after, jobs, backend):
    """Prints the table; the sentences on which report and device differ."""
    reboot, setpoint = (backend.outcomes(job) for job in jobs)
    expected = sorted(name for name in after["devices"] if name.startswith("floor3-"))

    def reported(name):
        found = backend.find(f"devices/{name}/reported")
        return found and found.json

    wrong = print_table(before, after, reboot, setpoint, reported)
    for job, records in zip(jobs, (reboot, setpoint)):
        if sorted(records) != expected:
            wrong.append(f"{job}: outcomes for {len(records)} devices, {len(expected)} were asked")
        stats = backend.share(job)["deviceJobStatistics"]
        told = sum(1 for record in records.values() if record["status"] == "completed")
        if stats["succeededCount"] != told or stats["deviceCount"] != len(expected) or \
                stats["failedCount"] != len(expected) - told:
            wrong.append(f"{job}: the statistics say {stats}, {told} outcomes are good")
        for name, good in ((DEAD, False), (REFUSES, False)):
            if (code_of(records.get(name)) == "completed") != good:
                wrong.append(f"{job}: {name} cannot have succeeded")
    for name, line in after["lines"].items():
        if line["broken_silence"]:
            # No outcome is wrong by it, and on a busy machine the simulator itself may be late.
            say(f"(line {name}: {line['broken_silence']} requests came before the silence was over)")
    return wrong


def kill_in_the_middle(world, sim, gateway, start):
    """kill -9 once ten controllers have heard the order, and the next start."""
    from world import until
    until(lambda: sum(device["reboots"] for device in sim.dump()["devices"].values()) >= 10,
          what="ten controllers restart")
    gateway.child.kill()
    gateway.child.wait()
    say(colour(31, "the gateway was killed in the middle of it (kill -9), and starts again"))
    return start()


def demo(world, program, kill, patient):
    broker = world.broker()
    config = copy_site(world.folder, broker.port, patient)
    say(f"building 43: floors 2 and 3, simulated; {DEAD} is dead, {REFUSES} refuses every request")
    sim = world.sim(config, "--dead", DEAD, "--exception", f"{REFUSES}=2")

    def start():
        return world.gateway(config, "--lines", sim.lines,
                             socket_path=world.folder / "jobgate.sock")

    gateway = start()
    backend = world.backend(broker)
    backend.online()
    before = sim.dump()
    jobs = []
    for job_id, title, document in (
            ("reboot-floor-3", f'reboot every controller where "{FLOOR}"', REBOOT_JOB),
            ("setback-floor-3", f'setpoint 19.5 where "{FLOOR}"', SETPOINT_JOB)):
        say(f"\n{colour(1, job_id)}: {title}")
        backend.submit(job_id, **document)
        backend.wait(f"jobs/{job_id}/gateways/building-43")
        if kill and not jobs:
            gateway = kill_in_the_middle(world, sim, gateway, start)
        watch(program, gateway.socket, backend, job_id, 31)
        backend.share(job_id)
        jobs.append(job_id)
    # Reported documents go out at most once a second for each device.
    waiting = [name for name, record in backend.outcomes(jobs[1]).items()
               if record["status"] == "completed"]
    for name in waiting:
        backend.wait(f"devices/{name}/reported",
                     lambda message: message.payload and "setpoint" in message.json)
    wrong = compare(before, sim.dump(), jobs, backend)
    status = gateway.stop()
    if status != 0:
        wrong.append(f"the gateway ended with {status}")
    for sentence in wrong:
        say(colour(31, sentence))
    if wrong:
        say(f"\n{colour(31, 'reports and devices do not agree')}; what the programs said:\n"
            f"{world.logs()}")
        return 1
    say(colour(32, "\nevery report agrees with what the devices saw; floor 2 was not touched"))
    return 0


def main():
    parser = argparse.ArgumentParser(usage="./dev demo [--kill]")
    parser.add_argument("--kill", action="store_true", help="kill -9 in the middle of the job")
    parser.add_argument("--patient", action="store_true", help="wait long for each answer")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "jobgate")
    wanted = parser.parse_args()
    program = wanted.program.resolve()
    os.environ["JOBGATE"] = str(program)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the world is cleaned up
    from world import World  # reads JOBGATE
    with World() as world:
        try:
            return demo(world, program, wanted.kill, wanted.patient)
        except (AssertionError, KeyboardInterrupt) as trouble:
            say(f"demo: {trouble or 'interrupted'}\n{world.logs()}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
