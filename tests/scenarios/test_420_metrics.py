"""What a monitor sees: /metrics in Prometheus' text format, and who may read it."""
import re
import shutil
import subprocess
import time

import pytest

from https import Secure, token
from world import PATIENCE, until

SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? ([0-9.e+-]+|\+Inf)$')


@pytest.fixture(scope="module")
def secure(module_world):
    one = Secure(module_world, sim_options=("--dead", "room-3"))
    one.api.submit("j", type="scheduleDeviceMethod", queryCondition="*",
                   cloudToDeviceMethod={"methodName": "setComfort", "payload": {"setpoint": 20}})
    one.api.finished("j")
    return one


def read(secure):
    status, headers, text = secure.ask("GET", "/metrics",
                                       authorization=f"Bearer {secure.metrics_token}")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return text


def parse(text):
    """{name: {labels: value}}; every rule of the format that can be seen in a text is checked."""
    found, types, current = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in types and line.split(" ", 3)[3]
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name == current and kind in ("counter", "gauge", "histogram")
            types[name] = kind
            assert (kind == "counter") == name.endswith("_total")
        else:
            name, labels, value = SAMPLE.match(line).groups()
            base = re.sub(r"_(bucket|sum|count)$", "", name) if types[current] == "histogram" else name
            assert base == current, "samples stand together behind their TYPE"
            assert labels not in found.setdefault(name, {}), "twice"
            found[name][labels or ""] = float(value)
    assert text.endswith("\n")
    return found


def test_the_text_keeps_to_the_format(secure):
    found = parse(read(secure))
    assert all(name.startswith("jobgate_") for name in found)


def test_promtool_finds_nothing_to_say(secure):
    if not shutil.which("promtool"):
        pytest.skip("promtool (package prometheus) is not installed: ./dev test gets it")
    told = subprocess.run(["promtool", "check", "metrics"], input=read(secure), text=True,
                          capture_output=True, timeout=PATIENCE, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_jobs_tasks_and_lines_are_counted(secure):
    found = parse(read(secure))
    assert found["jobgate_jobs_total"]['status="completed"'] == 1
    assert found["jobgate_tasks_total"]['outcome="Completed"'] == 2
    assert found["jobgate_tasks_total"]['outcome="DeviceTimeout"'] == 1
    assert found["jobgate_line_up"]['line="floor3"'] == 1
    assert found["jobgate_line_overloaded"]['line="floor3"'] == 0
    assert found["jobgate_line_requests_total"]['line="floor3",result="done"'] >= 4
    assert found["jobgate_line_requests_total"]['line="floor3",result="silent"'] >= 1
    assert found["jobgate_line_busy_seconds_total"]['line="floor3"'] > 0.2
    assert found["jobgate_devices"]['state="online"'] == 2
    assert found["jobgate_store_records_total"][""] > 3
    assert found["jobgate_store_commit_seconds_count"][""] >= 1


def test_reloads_are_counted_by_their_result(secure):
    before = parse(read(secure))
    assert before["jobgate_config_generation"][""] == 1
    assert before["jobgate_config_last_reload_successful"][""] == 1
    assert abs(time.time() - before["jobgate_config_last_reload_success_timestamp_seconds"][""]) < 3600
    good = secure.config.read_text()
    secure.config.write_text(good.replace("unit", "unitt"))
    assert secure.api.ask("POST", "/jobgate/v1/reload")[0] == 400
    bad = parse(read(secure))
    assert bad["jobgate_config_last_reload_successful"][""] == 0
    assert bad["jobgate_config_generation"][""] == 1
    last = secure.api.get("/jobgate/v1/status")[2]["site"]["lastRead"]
    assert last["result"] == "refused" and last["why"].startswith(f"{secure.config}:")
    secure.config.write_text(good)
    assert secure.api.ask("POST", "/jobgate/v1/reload")[0] == 200
    until(lambda: parse(read(secure))["jobgate_config_generation"][""] == 2)
    after = parse(read(secure))
    assert after["jobgate_config_last_reload_successful"][""] == 1
    assert after["jobgate_config_last_reload_success_timestamp_seconds"][""] > \
        before["jobgate_config_last_reload_success_timestamp_seconds"][""]
    assert after["jobgate_config_reloads_total"] == {
        'result="taken"': 1, 'result="refused"': 1, 'result="failed"': 0}


def test_histograms_rise_to_their_count(secure):
    found = parse(read(secure))
    buckets = list(found["jobgate_line_answer_seconds_bucket"].values())
    assert buckets == sorted(buckets)
    assert buckets[-1] == found["jobgate_line_answer_seconds_count"]['line="floor3"'] > 0
    assert found["jobgate_line_answer_seconds_sum"]['line="floor3"'] > 0


def test_a_bearer_token_opens_metrics_and_nothing_else(secure):
    assert secure.ask("GET", "/devices", authorization=f"Bearer {secure.metrics_token}")[0] == 401
    assert secure.ask("GET", "/metrics", authorization="Bearer wrong")[0] == 401
    assert secure.ask("GET", "/metrics", authorization="")[0] == 401
    assert secure.ask("GET", "/metrics", authorization=token(secure.reader))[0] == 200
    assert secure.api.get("/metrics", version=None)[0] == 200


def test_refusals_are_counted(secure):
    before = parse(read(secure))["jobgate_api_refusals_total"][""]
    secure.ask("GET", "/devices", authorization="")
    assert until(lambda: parse(read(secure))["jobgate_api_refusals_total"][""] == before + 1)
