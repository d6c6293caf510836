"""kill -9 at random moments of a job's life, and the next start.

Each round submits one job of another kind over MQTT, kills the gateway some moments later and
starts it again. The moments come from a seed (JOBGATE_SEED); JOBGATE_KILLS says how many there are.
"""
import collections
import os
import random
import time

from rounds import KINDS, Floor
from world import World

KILLS = int(os.environ.get("JOBGATE_KILLS", "150" if os.environ.get("JOBGATE_ALL") else "50"))
SEED = int(os.environ.get("JOBGATE_SEED", "43"))


def test_after_a_kill_each_device_has_one_true_outcome():
    chance = random.Random(SEED)
    told = collections.Counter()
    with World() as world:
        floor = Floor(world)
        floor.begin()
        try:
            for number in range(1, KILLS + 1):
                kind = KINDS[number % len(KINDS)]
                floor.backend.forget()
                floor.backend.submit(f"job-{number}", **kind(number))
                pause = chance.random() ** 2 * 0.7
                time.sleep(pause)
                floor.kill()
                if chance.random() < 0.3:  # and once more while it gets up
                    floor.start(wait=False)
                    time.sleep(chance.random() * 0.5)
                    floor.kill()
                floor.begin()
                told.update(floor.judge(kind, number, f"job-{number}",
                                        f"seed {SEED}, {kind.__name__} {number}, "
                                        f"killed after {pause * 1000:.0f} ms"))
        except BaseException:
            print(world.logs())
            raise
    print(f"{KILLS} kills survived; outcomes: {dict(told)}")
