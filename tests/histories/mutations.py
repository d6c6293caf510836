#!/usr/bin/python3
"""Breaks the engine in ways that matter, one at a time, and shows that the histories notice.

Works on a copy of the tree in build/mutations. A mutation that the histories survive fails the run:
a promise is then no longer tested. One whose text is no longer in its file fails it as well.
"""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COPY = ROOT / "build" / "mutations" / "tree"
BUILD = ROOT / "build" / "mutations" / "build"
SEEDS = 6000

# (what is broken, [(file, text, its replacement)])
MUTATIONS = [
    ("a job is acknowledged before it is safe", [
        ("gateway/jobs/engine_accept.c", "CODE_NONE, json_text(body), engine->number);",
         "CODE_NONE, json_text(body), 0);"),
        ("gateway/jobs/engine_accept.c", "json_t *body = engine_job_json(engine, job->id);\n\n"
         "    report_stored(engine, &request->origin, engine->number);",
         "json_t *body = engine_job_json(engine, job->id);\n\n"
         "    report_stored(engine, &request->origin, 0);")]),
    ("an outcome is told before it is safe", [
        ("gateway/jobs/engine_reports.c", "report->after > engine->safe", "false"),
        ("tests/unit/fixture_engine.c", "assert_true(report->after <= world->safe);", "")]),
    ("a trigger's frame leaves before its intent is safe", [
        ("gateway/jobs/run.c", "run->intent > facts->safe", "false"),
        ("gateway/jobs/engine_dispatch.c", "task->run->intent > engine->safe", "false")]),
    ("a trigger in doubt is sent again after a restart", [
        ("gateway/jobs/run_journal.c", "step->class != CLASS_STATE &&\n        !step->repeatable)",
         "step->class == CLASS_PULSE &&\n        !step->repeatable)")]),
    ("a trigger that nobody answered is sent again", [
        ("gateway/jobs/run_write.c", "if (open && step->class != CLASS_STATE && !step->repeatable)",
         "if (open && step->class == CLASS_PULSE && !step->repeatable)")]),
    ("a pulse in doubt is not paid back", [
        ("gateway/jobs/run_journal.c", "run->owed = true;", "run->owed = false;")]),
    ("what did not answer counts as written", [
        ("gateway/jobs/run_write.c", "if (trouble == TROUBLE_NONE) {\n        written",
         "if (trouble == TROUBLE_NONE || trouble == TROUBLE_SILENT) {\n        written"),
        ("gateway/jobs/run_write.c", "if (!step->verify) {", "if (true) {")]),
    ("what somebody else has set meanwhile is overwritten", [
        ("gateway/jobs/run_journal.c", "    if (before) {", "    if (true) {")]),
    ("a step begins after the cancel", [
        ("gateway/jobs/run_stop.c", "run->stopping = true;\n    run->stop = *stop;",
         "run->stopping = false;\n    run->stop = *stop;")]),
    ("a job that is delivered again runs again", [
        ("gateway/jobs/engine_accept.c", "    if (known) {", "    if (known && !job_is_over(known)) {")]),
    ("what is owed to a device is forgotten when it leaves the site", [
        ("gateway/jobs/engine_absent.c", "state->owed = absent->owed;", "state->owed = NULL;")]),
    ("a device that comes back may be written to as if it were new", [
        ("gateway/jobs/engine_absent.c", "state->wears = absent->wears;",
         "state->wears = (struct wears){0};")]),
    ("an outcome is not told again after a restart", [
        ("gateway/jobs/engine_told.c", "engine->untold += count_of(engine, job);",
         "engine->untold += 0;")]),
]


def run(*command, limit=900):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=limit,
                          stdin=subprocess.DEVNULL, errors="replace")
    return done.returncode, done.stdout or done.stderr


def copy_tree():
    """Only what has changed, so that little is built anew."""
    COPY.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        put(name, (ROOT / name).read_bytes()) if (ROOT / name).is_file() else None


def put(name, content):
    path = COPY / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
        shutil.copymode(ROOT / name, path)


def build():
    status, text = run("ninja", "-C", BUILD, "histories")
    if status != 0:
        raise SystemExit(f"mutations: it does not build:\n{text[-3000:]}")


def survives(changes):
    """None, or why not: what the histories said."""
    for name, text, replacement in changes:
        content = (COPY / name).read_text()
        if text not in content:
            raise SystemExit(f"mutations: {name} has no longer {text!r}")
        put(name, content.replace(text, replacement).encode())
    build()
    status, told = run(BUILD / "tests" / "histories" / "histories", "--seeds", SEEDS)
    for name, _, _ in changes:
        put(name, (ROOT / name).read_bytes())
    return None if status == 0 else (re.findall(r"^seed .*$", told, re.M) or told.splitlines()[-1:])[-1]


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    copy_tree()
    status, text = run("cmake", "-G", "Ninja", "-S", COPY, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Release")
    if status != 0:
        raise SystemExit(text)
    build()
    missed = []
    for what, changes in MUTATIONS:
        if wanted not in what:
            continue
        noticed = survives(changes)
        print(f"{what}: {noticed or 'NOT NOTICED'}", flush=True)
        if not noticed:
            missed.append(what)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
