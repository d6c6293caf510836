"""Who asks much, or asks slowly, does not hold up the lines."""
import http.client
import ssl
import threading
import time
from datetime import datetime

import pytest

from https import HOST, Secure
from world import PATIENCE, until

CALLERS = 4


@pytest.fixture(scope="module")
def secure(module_world):
    return Secure(module_world, units="1-20")


def job_seconds(secure, job_id):
    """How long the devices of a job took, by its own record."""
    status, _, job = secure.api.submit(job_id, type="scheduleDeviceMethod", queryCondition="*",
                                       cloudToDeviceMethod={"methodName": "setComfort",
                                                            "payload": {"setpoint": 20}})
    assert status == 200, job
    job = secure.api.finished(job_id)
    assert job["deviceJobStatistics"]["succeededCount"] == 20
    begun, ended = (datetime.fromisoformat(job[name].replace("Z", "+00:00"))
                    for name in ("startTime", "endTime"))
    return (ended - begun).total_seconds()


class Crowd:
    """Callers that ask as fast as they are answered, and connections that dribble."""

    def __init__(self, secure):
        self.secure, self.times, self.failures, self.over = secure, [], [], False
        self.threads = [threading.Thread(target=self.call) for _ in range(CALLERS)]
        self.slow = [secure.connect() for _ in range(8)]
        self.dribbler = threading.Thread(target=self.dribble)

    def __enter__(self):
        for thread in (*self.threads, self.dribbler):
            thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in (*self.threads, self.dribbler):
            thread.join()

    def call(self):
        context = ssl.create_default_context(cafile=str(self.secure.cert))
        connection = http.client.HTTPSConnection(HOST, self.secure.port, timeout=PATIENCE, context=context)
        paths = ("/devices", "/jobs/v2/query", "/jobgate/v1/status", "/metrics")
        while not self.over:
            for path in paths:
                begun = time.monotonic()
                status, _, _ = self.secure.ask("GET", path, connection=connection)
                self.times.append(time.monotonic() - begun)
                if status != 200:
                    self.failures.append((path, status))
                time.sleep(0.002)
        connection.close()

    def dribble(self):
        while not self.over:
            for stream in self.slow:
                try:
                    stream.sendall(b"G")
                except OSError:
                    pass
            time.sleep(0.05)


def test_a_job_takes_no_longer_while_many_ask(secure):
    assert secure.ask("GET", "/devices")[0] == 200
    told = []
    for number in range(12):  # other tests share the machine: one quiet moment is enough
        alone = job_seconds(secure, f"alone-{number}")
        with Crowd(secure) as crowd:
            crowded = job_seconds(secure, f"crowded-{number}")
            until(lambda: len(crowd.times) > 20, what="all have asked")
        told.append(f"job {alone:.2f} s alone, {crowded:.2f} s among {len(crowd.times)} requests")
        assert not crowd.failures
        if crowded < 1.5 * alone + 0.3:
            break
    print("\n".join(told))
    assert crowded < 1.5 * alone + 0.3, told


def test_a_connection_that_dribbles_is_closed_after_ten_seconds(secure):
    stream = secure.connect()
    begun = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - begun < 2 * PATIENCE:
            stream.sendall(b"G")
            time.sleep(0.1)
    assert time.monotonic() - begun > 8
