"""kill -9 at each named point between request and report, seen by pymodbus as independent devices."""
import contextlib
import http.client
import os
import signal

import pytest

from rounds import Floor, command, comfort, ring, twin
from world import ROOT, World, until

SHIM = ROOT / "build" / "tests" / "crash" / "kill_at.so"
POINTS = ("before-commit", "after-commit", "before-frame", "after-frame", "in-answer",
          "before-publish", "after-publish")
# At which time that it comes to the point: early, in the middle, late.
TIMES = (1, 2, 4, 7) if os.environ.get("JOBGATE_ALL") else (1, 3)


@pytest.fixture(scope="module")
def floor():
    with World() as world:
        yield Floor(world, independent=True)


def killed_at(floor, kind, number, point, time):
    """True when the point was reached; the gateway stands again in any case."""
    armed = floor.world.folder / "kill-at"
    armed.unlink(missing_ok=True)
    sanitizers = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    floor.begin(env={"LD_PRELOAD": str(SHIM), "KILL_AT": str(armed), "ASAN_OPTIONS": sanitizers})
    armed.write_text(f"{point} {time}\n")
    floor.backend.submit(f"job-{number}", **kind(number))
    until(lambda: not floor.gateway.is_running() or is_idle(floor, number), what="its end")
    reached = not floor.gateway.is_running()
    if not reached:  # it did not come there so often
        floor.kill()
    assert floor.gateway.child.wait() == -signal.SIGKILL
    armed.unlink()
    return reached


def is_idle(floor, number):
    """The job is over, told and kept."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        api = floor.world.api(floor.gateway)
        status = api.get("/jobgate/v1/status")[2]
        return api.job(f"job-{number}").get("status") == "completed" and \
            status["outbox"]["untold"] == 0 and status["store"]["waiting"] == 0


@pytest.mark.parametrize("kind", [command, comfort, ring, twin])
@pytest.mark.parametrize("point", POINTS)
def test_each_device_has_one_true_outcome_after_a_kill(floor, point, kind):
    for time in TIMES:
        floor.number = number = getattr(floor, "number", 0) + 1
        story = f"{kind.__name__} {number}, killed {point}, time {time}"
        floor.backend.forget()
        reached = killed_at(floor, kind, number, point, time)
        assert reached or time > 2, f"{story}: it never came there"
        floor.begin()
        floor.judge(kind, number, f"job-{number}", story)
        assert floor.gateway.stop() == 0
