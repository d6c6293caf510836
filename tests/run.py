#!/usr/bin/python3
"""Runs what ./dev test has built, and counts.

Unit tests and corpora come from ctest's own list, in the release tree and under the sanitizers;
a test passes if it passes in every tree that has it. Scenarios are one pytest process for each
file, several at a time, against the program built with ASan. The last line is the count.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
THREADED = re.compile(r"queue|line|broker|store|thread")
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
CPUS = os.cpu_count() or 2
SCENARIO_S = 1800  # for a file; some 100 where the machine does nothing else
SLOW_MACHINE = 5  # times ctest's own limits, which are meant for a program that has a processor


class Count:
    """Every test by name: passed, or why not."""

    def __init__(self):
        self.failures = {}  # name: text
        self.names = set()
        self.skipped = {}

    def add(self, name, failure=None):
        self.names.add(name)
        if failure is not None:
            self.failures.setdefault(name, failure)

    def skip(self, name, why):
        self.skipped[name] = why

    def close(self):
        for name, why in sorted(self.skipped.items()):
            print(f"skipped: {name}: {why}")
        for name, text in sorted(self.failures.items()):
            print(f"\n--- {name}\n{text.rstrip()}")
        if self.failures:
            print("\nfailed:")
            for name in sorted(self.failures):
                print(f"  {name}")
        failed = len(self.failures)
        print(f"{len(self.names) - failed} passed, {failed} failed", flush=True)
        return 0 if failed == 0 and self.names else 1


def run(command, limit, env=None, cwd=ROOT):
    """Exit status (None: out of time) and the whole output. Ends its own child only."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd,
                                 stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            status = None
        output.seek(0)
        return status, output.read().decode(errors="replace")


def said(status):
    if status is None:
        return "did not end in time"
    return f"ended by signal {-status}" if status < 0 else f"exit status {status}"


# --- unit tests -----------------------------------------------------------------------------

def listed(tree):
    """(name, command, folder, limit) of every test that ctest knows in a tree."""
    status, text = run(["ctest", "--test-dir", str(tree), "--show-only=json-v1"], 60)
    if status != 0:
        raise SystemExit(f"run.py: ctest cannot list {tree}:\n{text}")
    for test in json.loads(text)["tests"]:
        keys = {item["name"]: item["value"] for item in test.get("properties", [])}
        if "command" in test:
            yield (test["name"], test["command"], keys.get("WORKING_DIRECTORY", str(tree)),
                   float(keys.get("TIMEOUT", 60)))


TAP = re.compile(r"^(ok|not ok) \d+(?: -)? (.*)$", re.M)


def read_tap(program, tree, status, text):
    """Yields (test, failure or None) from cmocka's TAP; a program that stops early has failed."""
    planned = sum(int(number) for number in re.findall(r"^1\.\.(\d+)", text, re.M))
    results = [(word, name.strip()) for word, name in TAP.findall(text)]
    if not planned:  # no cmocka: one test
        yield program, None if status == 0 else f"[{tree}] {said(status)}\n{text[-6000:]}"
        return
    bad = False
    for word, name in results:
        if name.startswith("# SKIP"):
            continue
        failure = word != "ok"
        bad = bad or failure
        yield f"{program}: {name}", f"[{tree}]\n{text[-6000:]}" if failure else None
    if len(results) < planned or (status != 0 and not bad):
        yield (f"{program}: runs to its end",
               f"[{tree}] {said(status)} after {len(results)} of {planned} tests\n{text[-6000:]}")


def unit_tests(count, trees, word, long):
    work = []
    for tree, prefix, threads_only in trees:
        for name, command, folder, limit in listed(tree):
            if (threads_only and not THREADED.search(name)) or (word and word not in name):
                continue
            if os.path.exists(command[0]):
                work.append((name, tree.name, [*prefix, *command], folder, limit))
            elif not threads_only:
                count.add(name, f"[{tree.name}] {command[0]} was not built")
    env = {**SANITIZERS, "CMOCKA_MESSAGE_OUTPUT": "TAP",
           "JOBGATE_UNPLUGS": "1000" if long else "50"}
    with concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        ends = pool.map(lambda item: run(item[2], SLOW_MACHINE * item[4], env, item[3]), work)
        for (name, tree, *_), (status, text) in zip(work, ends):
            for test, failure in read_tap(name, tree, status, text):
                count.add(test, failure)


def without_aslr():
    """gcc 12's ThreadSanitizer cannot start where addresses are too random."""
    prefix = ["setarch", os.uname().machine, "-R"]
    try:
        return prefix if run([*prefix, "true"], 10)[0] == 0 else []
    except OSError:
        return []


# --- scenarios ------------------------------------------------------------------------------

def scenario(path, word, program, folder, everything):
    xml_file = folder / f"{path.stem}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path),
               f"--junit-xml={xml_file}", "--tb=short", *(["-k", word] if word else [])]
    env = {**SANITIZERS, "JOBGATE": str(program), "PYTHONDONTWRITEBYTECODE": "1",
           "JOBGATE_ALL": "1" if everything else ""}
    status, text = run(command, SCENARIO_S, env)
    return path, status, text, xml_file


def read_junit(count, path, status, text, xml_file):
    try:
        cases = list(xml.etree.ElementTree.parse(xml_file).iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        cases = []
    failed = False
    for case in cases:
        name = f"{path.stem}: {case.get('name')}"
        trouble = [part for part in case if part.tag in ("failure", "error")]
        skips = [part for part in case if part.tag == "skipped"]
        if trouble:
            failed = True
            count.add(name, "\n".join((part.text or part.get("message") or "")[-8000:] for part in
                                      case if part.tag in ("failure", "error", "system-out",
                                                           "system-err")))
        elif skips:
            count.skip(name, skips[0].get("message") or "")
        else:
            count.add(name)
    if status not in (0, 5) and not failed:  # 5: nothing selected
        count.add(f"{path.stem}: runs to its end", f"{said(status)}\n{text[-6000:]}")


def scenarios(count, word, program, everything):
    files = sorted(path for folder in ("crash", "scenarios")
                   for path in (ROOT / "tests" / folder).glob("test_*.py"))
    if not files:
        return
    if not program.exists():
        count.add("scenarios", f"{program} was not built")
        return
    with tempfile.TemporaryDirectory(prefix="jobgate-test-") as folder, \
            concurrent.futures.ThreadPoolExecutor(2 * CPUS) as pool:
        ends = [pool.submit(scenario, path, word, program, pathlib.Path(folder), everything)
                for path in files]
        for end in ends:
            read_junit(count, *end.result())


# --- what takes longer ----------------------------------------------------------------------

def fuzz(count, seconds):
    """Each target searches for so long, from its corpus; finds stay in build/clang/found."""
    found = BUILD / "clang" / "found"
    found.mkdir(parents=True, exist_ok=True)
    targets = sorted(path for path in (BUILD / "clang" / "tests" / "fuzz").glob("fuzz_*")
                     if path.is_file() and os.access(path, os.X_OK))

    def search(target):
        name = target.name[len("fuzz_"):]
        with tempfile.TemporaryDirectory(prefix="jobgate-fuzz-") as fresh:
            return run([str(target), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                        "-print_final_stats=1", f"-artifact_prefix={found}/{name}-", fresh,
                        str(ROOT / "tests" / "fuzz" / "corpus" / name)], seconds + 60, SANITIZERS)

    with concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        for target, (status, text) in zip(targets, pool.map(search, targets)):
            runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
            print(f"{target.name}: {runs.group(1) if runs else '?'} inputs, {said(status)}")
            count.add(f"{target.name}: {seconds} s",
                      None if status == 0 else f"{said(status)}\n{text[-6000:]}")


def valgrind(count, word):
    """The release tree's unit tests: what the sanitizers cannot see are uninitialised bytes."""
    for name, command, folder, limit in listed(BUILD):
        if word and word not in name:
            continue
        status, text = run(["valgrind", "-q", "--fair-sched=yes", "--error-exitcode=99", "--leak-check=full",
                            f"--suppressions={ROOT / 'tests' / 'valgrind.supp'}",
                            "--errors-for-leak-kinds=definite", *command], limit * 4,
                           {"UNDER_VALGRIND": "1"}, folder)
        count.add(f"valgrind: {name}", None if status == 0 else f"{said(status)}\n{text[-6000:]}")


def soak(count, word):
    """One busy minute and forty simulated days: long enough to see what grows with each job."""
    if word and word not in "soak":
        return
    status, text = run([sys.executable, str(ROOT / "tests" / "soak" / "soak.py"), "--minutes", "1",
                        "--days", "40"], 400)
    count.add("soak: what a gateway holds is level",
              None if status == 0 else f"{said(status)}\n{text[-6000:]}")


def mutations(count):
    """What the histories say of an engine that is broken on purpose."""
    status, text = run([sys.executable, str(ROOT / "tests" / "histories" / "mutations.py")], 1200)
    told = re.findall(r"^(.+?): (NOT NOTICED|seed .*)$", text, re.M)
    for what, noticed in told:
        count.add(f"mutations: {what}", None if noticed != "NOT NOTICED" else noticed)
    if status != 0 or not told:
        count.add("mutations: run to their end", f"{said(status)}\n{text[-6000:]}")


def main():
    parser = argparse.ArgumentParser(usage="./dev test [--all] [-k WORD]")
    parser.add_argument("-k", metavar="WORD", help="only tests whose name has WORD")
    parser.add_argument("--all", action="store_true", help="also what takes longer than minutes")
    parser.add_argument("--fuzz", type=int, metavar="SECONDS", help="only search with the fuzzers")
    wanted = parser.parse_args()
    count = Count()
    if wanted.fuzz:
        fuzz(count, wanted.fuzz)
        return count.close()
    begun = time.monotonic()
    unit_tests(count, [(BUILD, [], False), (BUILD / "asan", [], False),
                       (BUILD / "tsan", without_aslr(), True)], wanted.k,
               wanted.all)
    print(f"unit tests and corpora: {len(count.names)}, {time.monotonic() - begun:.0f} s",
          flush=True)
    begun = time.monotonic()
    scenarios(count, wanted.k, BUILD / "asan" / "jobgate", wanted.all)
    print(f"scenarios: {time.monotonic() - begun:.0f} s", flush=True)
    if wanted.all:
        fuzz(count, 30)
        valgrind(count, wanted.k)
        mutations(count)
        soak(count, wanted.k)
    return count.close()


if __name__ == "__main__":
    sys.exit(main())
