"""The status page: as a browser without a browser sees it, and in headless Chromium."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from https import Secure
from world import HERE, ROOT

MODULES = ROOT / "build" / "node" / "node_modules"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def secure(module_world):
    return Secure(module_world, units="1-12", sim_options=(
        "--dead", "room-5", "--slow", "room-3=3000", "--slow", "room-9=3000"))  # to be watched


def test_the_page_needs_no_key_and_tells_nothing_without(secure):
    status, headers, text = secure.ask("GET", "/", authorization="")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "building-43" not in text and "room-1" not in text
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert rule in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_asks_nobody_else(secure):
    for name in ("app.js", "app.css"):
        status, _, text = secure.ask("GET", f"/page/{name}", authorization="")
        assert status == 200 and not re.search(r"https?://|innerHTML|eval\(", text)
    _, _, text = secure.ask("GET", "/", authorization="")
    assert not re.search(r'https?://|style="|onclick|<script>', text)
    assert secure.ask("GET", "/page/../gateway.c", authorization="")[0] in (400, 401, 404)


def test_a_device_is_told_with_points_and_methods(secure):
    status, _, told = secure.ask("GET", "/jobgate/v1/devices/room-1")
    assert status == 200 and told["jobgate"]["unit"] == 1
    setpoint = next(point for point in told["points"] if point["name"] == "setpoint")
    assert (setpoint["unit"], setpoint["min"], setpoint["max"]) == ("degC", 10.0, 30.0)
    comfort = next(method for method in told["methods"] if method["name"] == "setComfort")
    assert [argument["name"] for argument in comfort["arguments"]] == ["setpoint", "mode"]
    assert comfort["arguments"][1]["default"] == "auto"
    assert secure.ask("GET", "/jobgate/v1/devices/nobody")[0] == 404


def test_a_plan_is_shown_and_nothing_sent(secure):
    before = secure.sim.device("room-1")["written"]
    status, _, plan = secure.ask("POST", "/jobgate/v1/devices/room-1/plan",
                                 {"methodName": "setComfort", "payload": {"setpoint": 21}})
    assert status == 200 and plan["steps"][0]["frames"][0]["request"].startswith("01 10 00 64")
    for body in ({"write": {"setpoint": 21}}, {"desired": {"setpoint": 21}}):
        assert secure.ask("POST", "/jobgate/v1/devices/room-1/plan", body)[0] == 200
    for body in ({}, [], {"methodName": "none"}, {"methodName": "setComfort", "payload": {"setpoint": 99}}):
        assert secure.ask("POST", "/jobgate/v1/devices/room-1/plan", body)[0] == 400
    assert secure.sim.device("room-1")["written"] == before


@pytest.fixture(scope="module")
def found(secure):
    if not CHROMIUM or not shutil.which("node") or not (MODULES / "playwright-core").exists():
        pytest.skip("chromium or playwright-core is not there: ./dev test gets them")
    pictures = os.environ.get("JOBGATE_PICTURES", "")
    if pictures:
        pathlib.Path(pictures).mkdir(parents=True, exist_ok=True)
    told = subprocess.run(["node", HERE / "browser.js"], capture_output=True, text=True, timeout=900, check=True, env={
        **os.environ, "NODE_MODULES": str(MODULES), "CHROMIUM": CHROMIUM, "PICTURES": pictures,
        "PAGE_URL": f"https://localhost:{secure.port}", "POLICY": "iothubowner",
        "KEY": secure.owner.keys[0], "READER_KEY": secure.reader.keys[0],
        "LD_PRELOAD": "", "ASAN_OPTIONS": ""})
    return json.loads(told.stdout.splitlines()[-1])


def test_a_walk_through_the_page_meets_no_fault(found):
    assert found["errors"] == []
    assert found["outside"] == []


def test_the_cookie_is_out_of_reach_of_pages(found):
    assert found["cookies"] == [{"name": "__Host-jobgate", "httpOnly": True, "secure": True,
                                 "sameSite": "Strict"}]


def test_a_job_is_previewed_submitted_and_followed(found, secure):
    assert found["preview"].startswith("12 devices: room-01") or found["preview"].startswith("12 devices: room-1")
    assert "10 00 64" in found["plan"]
    assert len(found["progress"]) >= 3 and found["progress"] == sorted(found["progress"])
    assert secure.api.job("from-the-page")["deviceJobStatistics"]["succeededCount"] == 11
    assert found["failed"] == 1


def test_outcomes_are_downloaded(found):
    lines = found["csv"].splitlines()
    assert len(lines) == 13 and lines[0].startswith('"deviceId","status"')
    assert sum('"DeviceTimeout"' in line for line in lines) == 1


def test_a_job_is_cancelled_from_the_page(found, secure):
    assert found["errors"] == []
    assert secure.api.job("to-be-cancelled")["status"] == "cancelled"
    codes = [each.get("error", {}).get("code")
             for each in secure.api.outcomes("to-be-cancelled").values()]
    assert found["canceled"] == codes.count("Canceled")


def test_who_only_reads_finds_nothing_to_change(found):
    assert found["reader"] == {"calls": 0, "newJob": False}
