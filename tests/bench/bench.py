#!/usr/bin/python3
"""./dev bench: what jobgate reaches on a paced line, as ratios to the wire's physical limit.

From the publishing of a job to its last outcome on the broker; medians of at least five runs,
beside a bare libmodbus loop on the same simulated line. The simulator keeps the time of a real
wire; what breaks the silence is counted by it. Formulas and goals: docs/performance.md.
"""
import argparse
import os
import pathlib
import sys

from floor import ROOT


def main():
    parser = argparse.ArgumentParser(usage="./dev bench [--runs N] [--only ROW[,ROW]] [--list]")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "jobgate")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    wanted = parser.parse_args()
    os.environ["JOBGATE"] = str(wanted.program.resolve())
    from rows import ROWS
    if wanted.list:
        for row in ROWS:
            print(f"{row.__name__:<14}{(row.__doc__ or '').strip()}")
        return 0
    names = [name for name in wanted.only.split(",") if name]
    unknown = [name for name in names if name not in [row.__name__ for row in ROWS]]
    if unknown:
        print(f"bench: no row {', '.join(unknown)}; see --list", file=sys.stderr)
        return 2
    load = os.getloadavg()[0]
    print(f"medians of {wanted.runs}, {os.cpu_count()} cores, load {load:.1f} at the start\n"
          f"{'':<46}{'goal':>10}{'jobgate':>11}{'worst':>11}{'bare':>9}", flush=True)
    missed = 0
    for row in ROWS:
        if names and row.__name__ not in names:
            continue
        try:
            found = row(wanted.runs)
        except AssertionError as trouble:
            print(f"{row.__name__}: {str(trouble)[:2000]}", flush=True)
            missed += 1
            continue
        for line in found:
            print(line, flush=True)
            missed += not line.is_met()
    print(f"load {os.getloadavg()[0]:.1f} at the end; {missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
