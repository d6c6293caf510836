"""The command line: exit statuses, JSON everywhere, and what it says to people."""
import json
import re
import time

import pytest

from small import Small
from world import PATIENT, ROOM, devices, rtu, tcp

COMMANDS = ["run", "check", "sim", "plan", "scan", "report", "devices", "read", "write", "call", "job"]


@pytest.fixture(scope="module")
def small(module_world):
    return Small(module_world, sim_options=("--dead", "room-3"))


def command(small, *words, **more):
    return small.world.command(*words, "--socket", small.gateway.socket, **more)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(world, name):
    told = world.command(name, "--help")
    assert told.returncode == 0
    assert f"jobgate {name}" in told.stdout and "xample" in told.stdout
    assert world.command(name, "-h").stdout == told.stdout


def test_help_names_every_command(world):
    told = world.command("--help")
    assert told.returncode == 0
    for name in COMMANDS:
        assert name in told.stdout


def test_wrong_use_is_status_2(world):
    for words in (("explode",), ("read",), ("job", "frobnicate"), ("run", "--nonsense"),
                  ("call", "room-1")):
        told = world.command(*words)
        assert told.returncode == 2, (words, told)
        assert told.stderr.strip()


@pytest.mark.parametrize("words, said", [
    (("read",), "write jobgate read DEVICE [POINT...]"),
    (("call", "a", "b", "c", "d"), '"d" is too much; write jobgate call DEVICE METHOD [JSON]'),
    (("job", "lsit"), 'did you mean "list"?'),
    (("job", "show"), "write jobgate job show ID"),
    (("job", "submit"), "write jobgate job submit FILE, or -"),
    (("job", "list", "x"), '"x" is too much'),
    (("devices", "--wher", "x", "--jsno"), "--jsno; is it --json?"),
    (("sim", "--dir", "/tmp/unused", "--dump", "/no/such/place"), "/no/such: No such file"),
])
def test_wrong_use_says_what_would_be_right(world, words, said):
    told = world.command(*words)
    assert told.returncode == 2 and said in told.stderr, told
    assert len(told.stderr.splitlines()) == 1, told


def test_an_unreachable_gateway_is_status_3(world):
    told = world.command("devices", "--socket", world.folder / "nothing.sock")
    assert told.returncode == 3
    assert "nothing.sock" in told.stderr


def test_a_write_is_verified_and_read_back(small):
    told = command(small, "write", "room-1", "setpoint=21.5", "mode=heat")
    assert told.returncode == 0, told
    told = command(small, "read", "room-1", "setpoint", "mode", "--json")
    assert told.returncode == 0, told
    assert json.loads(told.stdout)["payload"]["values"] == {"setpoint": 21.5, "mode": "heat"}


def test_read_prints_names_and_values_for_people(small):
    told = command(small, "read", "room-1")
    assert told.returncode == 0
    assert "setpoint" in told.stdout and "temperature" in told.stdout
    assert "\033" not in told.stdout, "colour only on a terminal"


def test_a_refused_write_is_status_1(small):
    told = command(small, "write", "room-1", "setpoint=99")
    assert told.returncode == 1
    assert "30" in told.stdout + told.stderr


def test_a_silent_device_is_status_1(small):
    told = command(small, "call", "room-3", "setComfort", '{"setpoint": 20}')
    assert told.returncode == 1
    assert "did not answer" in told.stderr and "504" in told.stderr


def test_a_line_that_is_down_is_status_3_with_and_without_a_gateway(world):
    config = world.site([tcp("plant", 1)], [devices("room-#", "plant", "1-2")], [ROOM])
    told = world.command("read", "room-1", "--config", config)
    assert told.returncode == 3 and "cannot be reached" in told.stderr
    gateway = world.gateway(config)
    told = world.command("read", "room-1", "--socket", gateway.socket)
    assert told.returncode == 3 and "LineDown" in told.stderr


def test_an_unknown_device_is_wrong_use_with_and_without_a_gateway(world):
    config = world.site([tcp("plant", 1)], [devices("room-#", "plant", "1-2")], [ROOM])
    assert world.command("read", "hall-1", "--config", config).returncode == 2
    gateway = world.gateway(config)
    assert world.command("read", "hall-1", "--socket", gateway.socket).returncode == 2


def test_a_plan_for_an_unknown_device_is_wrong_use_too(small):
    told = small.world.command("plan", "hall-1", "reboot", "--config", small.config)
    assert told.returncode == 2 and "UnknownDevice" in told.stderr, told


def test_a_wrong_name_is_answered_with_the_near_one(small):
    for words, near in ((("read", "room-1", "setpiont"), '"setpoint"'),
                        (("write", "room-1", "mod=heat"), '"mode"'),
                        (("call", "room-1", "rebot"), '"reboot"')):
        told = command(small, *words)
        assert told.returncode == 1 and f"did you mean {near}?" in told.stderr, told


def test_a_negative_number_is_an_argument_and_no_option(small):
    told = command(small, "call", "room-1", "setHint", "-5", "--json")
    assert told.returncode == 1, told
    assert json.loads(told.stdout)["payload"]["error"]["code"] == "OutOfRange", told
    told = small.world.command("plan", "room-1", "setHint", "-5", "--config", small.config)
    assert told.returncode == 1 and "-5 is below 0" in told.stderr, told


def test_a_call_takes_json_arguments(small):
    told = command(small, "call", "room-2", "setComfort", '{"setpoint": 19}', "--json")
    assert told.returncode == 0, told
    assert json.loads(told.stdout)["payload"]["values"]["setpoint"] == 19.0


@pytest.mark.parametrize("text, said", [
    ('{"setpoint": 20', "not JSON at line 1"),
    ('{"setpoint": 20, "setpoint": 21}', "duplicate"),
])
def test_an_object_that_is_none_is_not_taken_for_a_text(small, text, said):
    told = command(small, "call", "room-2", "setComfort", text)
    assert told.returncode == 2 and said in told.stderr, told


def test_devices_are_listed_and_selected_by_a_condition(small):
    told = command(small, "devices", "--json")
    rows = json.loads(told.stdout)
    assert sorted(row["deviceId"] for row in rows) == ["room-1", "room-2", "room-3"]
    told = command(small, "devices", "--where", "deviceId = 'room-2'", "--json")
    assert [row["deviceId"] for row in json.loads(told.stdout)] == ["room-2"]
    small.api.read("room-2", "setpoint")
    told = command(small, "devices", "--where", "deviceId = 'room-2'")
    head, row = told.stdout.splitlines()
    assert "LAST CONTACT (UTC)" in head and "LAST OUTCOME" in head, told
    assert re.search(r" room +\w+ +(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d +\w+", row), told
    told = command(small, "devices", "--where", "deviceId = ")
    assert told.returncode == 2 and "--where 1:12:" in told.stderr


def job_file(small, name, **document):
    path = small.world.folder / f"{name}.json"
    path.write_text(json.dumps({"jobId": name, **document}))
    return path


def test_a_job_is_submitted_watched_listed_and_shown(small):
    path = job_file(small, "by-hand", type="scheduleDeviceMethod",
                    queryCondition="deviceId IN ['room-1','room-2']",
                    cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": 20}})
    told = command(small, "job", "submit", path)
    assert told.returncode == 0, told
    told = command(small, "job", "watch", "by-hand")
    assert told.returncode == 0, told
    assert "room-1" in told.stdout and "room-2" in told.stdout
    assert "\033" not in told.stdout
    told = command(small, "job", "list")
    assert told.returncode == 0 and "by-hand" in told.stdout
    told = command(small, "job", "show", "by-hand", "--json")
    assert told.returncode == 0 and '"by-hand"' in told.stdout


def test_a_job_with_a_failed_device_is_status_1(small):
    path = job_file(small, "half", type="scheduleDeviceMethod", queryCondition="*",
                    cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": 20}})
    assert command(small, "job", "submit", path).returncode == 0
    told = command(small, "job", "watch", "half")
    assert told.returncode == 1
    assert "room-3" in told.stdout and "DeviceTimeout" in told.stdout


def test_a_job_comes_from_standard_input_and_is_cancelled(small):
    tomorrow = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    text = json.dumps({"jobId": "stdin", "type": "scheduleDeviceMethod", "queryCondition": "*",
                       "cloudToDeviceMethod": {"methodName": "reboot"},
                       "startTime": tomorrow})
    assert command(small, "job", "submit", "-", stdin=text).returncode == 0
    assert command(small, "job", "cancel", "stdin").returncode == 0
    assert small.api.job("stdin")["status"] == "cancelled"


def test_a_job_whose_id_is_no_text_is_refused(small):
    path = job_file(small, "numbered", jobId=7, type="scheduleDeviceMethod",
                    cloudToDeviceMethod={"methodName": "reboot"}, queryCondition="*")
    told = command(small, "job", "submit", path)
    assert told.returncode == 2 and "jobId is no text" in told.stderr, told


def test_an_unknown_job_is_wrong_use(small):
    told = command(small, "job", "show", "unheard")
    assert told.returncode == 2 and "unheard" in told.stderr


def test_plan_shows_frames_and_sends_nothing(small):
    before = small.sim.device("room-1")["requests"]
    told = small.world.command("plan", "room-1", "setComfort", '{"setpoint": 21.5}', "--config",
                               small.config)
    assert told.returncode == 0, told
    # FC16, two registers from 100: 215 and 3; then the read of the same
    assert "01 10 00 64 00 02 04 00 D7 00 03" in told.stdout.upper()
    assert "01 03 00 64 00 02" in told.stdout.upper()
    assert "ms" in told.stdout
    assert small.sim.device("room-1")["requests"] == before
    told = small.world.command("plan", "room-1", "setComfort", '{"setpoint": 99}', "--config",
                               small.config)
    assert told.returncode in (1, 2) and "30" in told.stdout + told.stderr


def test_check_accepts_a_site_and_prints_its_register_map(small):
    told = small.world.command("check", "--config", small.config)
    assert told.returncode == 0, told
    for word in ("floor3", "room-1", "setpoint", "holding 100", "40101"):
        assert word in told.stdout, word


def test_check_names_file_line_and_cure_of_every_problem(world):
    config = world.site([rtu("floor3", baud=19201)],
                        [devices("room-#", "floor3", "1-300"),
                         devices("hall", "floor4", 9)], [ROOM.replace("min = 10.0", "mim = 10.0")])
    told = world.command("check", "--config", config)
    assert told.returncode == 2
    lines = told.stderr.splitlines()
    assert any("jobgate.conf:4:" in line and "19201" in line for line in lines), lines
    assert any("jobgate.conf:5:" in line and "floor4" in line for line in lines), lines
    assert any("p0.conf" in line and "mim" in line and '"min"' in line for line in lines), lines
    told = world.command("run", "--config", config)
    assert told.returncode == 2 and "floor4" in told.stderr


def test_without_a_gateway_the_command_opens_the_line_itself(world):
    config = world.site([rtu("floor3")], [devices("room-#", "floor3", "1-2")], [ROOM])
    sim = world.sim(config)
    config.write_text(config.read_text().replace("/dev/serial/by-id/usb-floor3", str(sim.lines / "floor3")))
    told = world.command("write", "room-1", "setpoint=21.5", "--config", config)
    assert told.returncode == 0, told
    assert sim.device("room-1")["holding"]["100"] == 215
    told = world.command("read", "room-1", "setpoint", "--json", "--config", config)
    assert json.loads(told.stdout)["payload"]["values"]["setpoint"] == 21.5
    assert "opening the line itself" in told.stderr, told


@pytest.mark.parametrize("fault, words", [
    ("--dead=room-1", ("DeviceTimeout", "hint: ", "baud and mode")),
    ("--exception=room-1=2", ("exception 2, illegal data address", "hint: ", "count from one")),
    ("--exception=room-1=1", ("exception 1, illegal function", "hint: ", "write_with")),
])
def test_a_device_in_trouble_is_told_with_where_to_look(world, fault, words):
    more = "timeout_ms = 100;" if fault.startswith("--dead") else PATIENT
    config = world.site([rtu("floor3", more=more)],
                        [devices("room-#", "floor3", "1-2")], [ROOM])
    sim = world.sim(config, fault)
    config.write_text(config.read_text().replace("/dev/serial/by-id/usb-floor3", str(sim.lines / "floor3")))
    told = world.command("read", "room-1", "setpoint", "--config", config)
    assert told.returncode == 1
    for word in words:
        assert word in told.stderr, told
    told = world.command("read", "room-1", "setpoint", "--config", config, "--json")
    assert "hint" not in told.stdout + told.stderr, told


def test_a_line_held_by_another_program_is_status_3_with_its_pid(world):
    config = world.site([rtu("floor3")], [devices("room-#", "floor3", "1-2")], [ROOM])
    sim = world.sim(config)
    config.write_text(config.read_text().replace("/dev/serial/by-id/usb-floor3", str(sim.lines / "floor3")))
    gateway = world.gateway(config)
    world.api(gateway).read("room-1", "setpoint")
    elsewhere = world.site([rtu("floor3", port=sim.lines / "floor3")],
                           [devices("room-#", "floor3", "1-2")], [ROOM], name="other")
    told = world.command("read", "room-1", "--config", elsewhere)
    assert told.returncode == 3
    assert str(gateway.child.pid) in told.stderr
