"""jobgate report: every device and every point of a site, and what answered."""
import hashlib
import json
import os
import shutil
import subprocess
import time

import pytest

from world import ROOM, devices, rtu, tcp, until

# A loaded machine answers late; only what is silent on purpose may cost this.
PATIENT = "timeout_ms = 2000; timeout_min_ms = 2000;"

NOTHING_TO_READ = """
profile = { name = "lamp"; points = { on = { coil = 0; access = "w"; }; }; };
"""


class Floor:
    def __init__(self, world, *options, units="1-3", more=(), profiles=(ROOM,)):
        self.world = world
        self.config = world.site([rtu("floor3", more=PATIENT)],
                                 [devices("room-#", "floor3", units), *more], list(profiles))
        self.sim = world.sim(self.config, *options)

    def report(self, *words):
        return self.world.command("report", "--config", self.config, "--lines", self.sim.lines,
                                  *words)

    def json(self, *words):
        told = self.report("--json", *words)
        report = json.loads(told.stdout)
        report["devices"] = {device["id"]: device for device in report["devices"]}
        return told.returncode, report


def points(device):
    return {point["name"]: point for point in device["points"]}


@pytest.fixture(scope="module")
def floor(module_world):
    return Floor(module_world, "--dead", "room-2", "--exception", "room-3=2")


def check(status, report):
    """What is the same on both roads."""
    assert status == 1 and report["well"] is False
    assert report["gateway"] == "building-43" and report["clockTrusted"] is True
    assert report["counts"] == {"devices": 3, "devicesFailed": 2, "points": 27,
                                "pointsRead": 8, "pointsFailed": 16, "pointsNeverRead": 3,
                                "linesDown": 0}
    good, dead, refusing = (report["devices"][f"room-{unit}"] for unit in (1, 2, 3))
    assert good["state"] == "online" and good["answerMs"] > 0 and "error" not in good
    assert good["tags"] == {"building": 43, "floor": 3}
    setpoint = points(good)["setpoint"]
    assert (setpoint["register"], setpoint["unit"]) == ("holding 100 (0x0064, 40101)", "degC")
    assert setpoint["result"] == "read" and isinstance(setpoint["value"], float)
    assert points(good)["control"]["result"] == "never read"
    assert dead["state"] == "offline" and dead["error"]["code"] == "DeviceTimeout"
    assert points(dead)["mode"]["error"]["code"] == "DeviceTimeout"
    assert refusing["state"] == "online" and "error" not in refusing
    assert "illegal data address" in points(refusing)["mode"]["error"]["description"]


def test_without_a_gateway_the_lines_are_opened(floor):
    status, report = floor.json()
    assert report["through"] == "lines" and report["lines"][0]["state"] == "up"
    assert report["lines"][0]["baud"] == 19200
    check(status, report)


def test_a_dead_device_is_asked_no_more_than_its_tries(floor):
    before = floor.sim.device("room-2")["requests"]
    assert floor.json()[0] == 1
    assert floor.sim.device("room-2")["requests"] == before, "the dead hear nothing"
    refused = floor.sim.device("room-3")["requests"]
    assert floor.json()[0] == 1
    asked = floor.sim.device("room-3")["requests"] - refused
    assert 9 <= asked < 18, "all at once, then each; a loaded machine may repeat some"


def test_a_running_gateway_is_asked(floor):
    gateway = floor.world.gateway(floor.config, "--lines", floor.sim.lines)
    try:
        api = floor.world.api(gateway)
        until(lambda: api.get("/jobgate/v1/status")[2]["lines"][0]["state"] == "up")
        told = floor.world.command("report", "--config", floor.config, "--json")
    finally:
        gateway.stop()
    report = json.loads(told.stdout)
    report["devices"] = {device["id"]: device for device in report["devices"]}
    assert report["through"] == "gateway" and "remark" not in report
    assert told.stderr == ""
    check(told.returncode, report)


def test_a_site_that_the_gateway_has_not_read_yet_is_remarked(world):
    floor = Floor(world, units="1-1")
    gateway = world.gateway(floor.config, "--lines", floor.sim.lines)
    text = floor.config.read_text()
    floor.config.write_text(text.replace('"1-1"', '"1-2"'))
    later = time.time() + 1  # a file's own time may be some milliseconds behind
    os.utime(floor.config, (later, later))
    told = world.command("report", "--config", floor.config, "--json", "--socket",
                         gateway.socket)
    report = json.loads(told.stdout)
    assert told.returncode == 1
    assert "jobgate reload" in report["remark"]
    assert report["devices"][1]["error"]["code"] == "UnknownDevice"


def test_several_lines_are_asked_at_once_through_the_gateway(world):
    lines = [rtu(f"bus{n}", more=PATIENT) for n in range(6)]
    rooms = [devices(f"b{n}-room-#", f"bus{n}", "1-4") for n in range(6)]
    config = world.site(lines, rooms, [ROOM])
    sim = world.sim(config, "--dead", "b3-room-2")
    gateway = world.gateway(config, "--lines", sim.lines)
    api = world.api(gateway)
    until(lambda: all(line["state"] == "up"
                      for line in api.get("/jobgate/v1/status")[2]["lines"]))
    told = world.command("report", "--config", config, "--json")
    report = json.loads(told.stdout)
    assert told.returncode == 1 and report["through"] == "gateway"
    assert (report["counts"]["devicesFailed"], report["counts"]["pointsRead"]) == (1, 23 * 8)
    assert [device["id"] for device in report["devices"]] == [
        f"b{n}-room-{unit}" for n in range(6) for unit in range(1, 5)]


def test_the_checksums_are_those_of_the_files(floor):
    _, report = floor.json()
    site = report["site"]
    bodies = []
    for entry in site["files"]:
        with open(entry["file"], "rb") as file:
            bodies.append(file.read())
        assert entry["sha256"] == hashlib.sha256(bodies[-1]).hexdigest()
    assert site["sha256"] == hashlib.sha256(b"".join(bodies)).hexdigest()
    assert str(floor.config) in [entry["file"] for entry in site["files"]]


def test_people_read_it_as_text(floor):
    told = floor.report()
    assert told.returncode == 1
    assert "1 of 3 devices well; 8 of 27 points read, 16 failed, 3 never read" in told.stdout
    assert "DeviceTimeout: unit 2 on line floor3 did not answer" in told.stdout
    assert "never read: write-only" in told.stdout and "40101" in told.stdout
    assert "\033" not in told.stdout, "colour only on a terminal"


def test_a_page_is_written_and_never_over_another_file(floor):
    page = floor.world.folder / "floor.html"
    told = floor.report("--output", page)
    assert told.returncode == 1 and str(page) in told.stdout
    text = page.read_text()
    assert text.startswith("<!doctype html>") and "signature" in text
    assert "<script" not in text and "http://" not in text and "https://" not in text
    told = floor.report("--output", page)
    assert told.returncode == 2 and "is there already" in told.stderr
    assert page.read_text() == text
    told = floor.report("--output", floor.world.folder / "no" / "where.json")
    assert told.returncode == 2 and "cannot be written" in told.stderr


def test_a_browser_lays_the_page_out(floor):
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("chromium is not installed")
    page = floor.world.folder / "laid-out.html"
    floor.report("--output", page)
    seen = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                           page.as_uri()], capture_output=True, text=True, timeout=120,
                          check=False)
    assert "<td class=\"bad\">DeviceTimeout</td>" in seen.stdout, seen.stderr[-2000:]


def test_a_line_that_is_down_fails_its_devices_alone(world):
    slaves = world.slaves({"1": {"holding": {"100": 210, "101": 1, "102": 0, "110": 0, "111": 7,
                                             "120": 5},
                                 "input": {"0": 195, "10": 1}, "coil": {"0": 1}}}, tcp=True)
    config = world.site([tcp("plant", slaves.tcp_port),
                         rtu("gone", port="/dev/serial/by-id/not-there")],
                        [devices("room", "plant", 1), devices("far-#", "gone", "1-9")], [ROOM])
    told = world.command("report", "--config", config, "--json")
    report = json.loads(told.stdout)
    assert told.returncode == 1, told
    assert [line["state"] for line in report["lines"]] == ["up", "down"]
    assert "is the adapter plugged in?" in report["lines"][1]["why"]
    assert points(report["devices"][0])["setpoint"]["value"] == 21.0
    assert points(report["devices"][0])["energy"]["value"] == 7
    assert {device["error"]["code"] for device in report["devices"][1:]} == {"LineDown"}


def test_no_line_at_all_is_status_3(world):
    config = world.site([rtu("gone", port="/dev/serial/by-id/not-there")],
                        [devices("far-#", "gone", "1-2")], [ROOM])
    told = world.command("report", "--config", config)
    assert told.returncode == 3
    assert "is the adapter plugged in?" in told.stdout


def test_a_device_of_which_nothing_can_be_read_is_told_as_such(world):
    floor = Floor(world, units="1-1", more=[devices("lamp", "floor3", 9, profile="lamp")],
                  profiles=(ROOM, NOTHING_TO_READ))
    told = floor.report()
    assert told.returncode == 0, told
    assert "nothing of it can be read" in told.stdout


def test_all_well_is_status_0(world):
    floor = Floor(world, units="1-9")
    status, report = floor.json()
    assert status == 0 and report["well"] is True
    assert report["counts"]["pointsRead"] == 72


def test_what_cannot_be_meant_is_wrong_use(floor):
    told = floor.report("--format", "pdf")
    assert told.returncode == 2 and "text, json or html" in told.stderr
    told = floor.world.command("report", "--socket", floor.world.folder / "nobody.sock",
                               "--config", floor.config)
    assert told.returncode == 3 and "nobody.sock" in told.stderr
