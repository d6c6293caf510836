"""The manual pages and the completion know what the program knows."""
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from world import PATIENCE, ROOT

MANUAL = ROOT / "docs" / "man"
SITE = ROOT / "gateway" / "site"
TABLE = re.compile(r"static const struct key (\w+)\[\] =\s*\{(.*?)\};", re.S)
KEY = re.compile(r'\{\s*(?:\.name = )?"(\w+)"|\b[A-Z]+\("?(\w+)"?')
PROFILE_FILES = ("config_profile.c", "config_point.c", "config_method.c")


def keys(of_profiles):
    """(table, key) of every key that the reader of the site knows."""
    found = []
    for path in sorted(SITE.glob("*.c")):
        if (path.name in PROFILE_FILES) == of_profiles:
            for table, body in TABLE.findall(path.read_text()):
                names = [first or second for first, second in KEY.findall(body)]
                assert names, f"{path.name}: no key in {table}: has the table another form?"
                found += [(table, name) for name in names]
    return found


def words(page):
    """What a page has in command or flag style."""
    text = (MANUAL / page).read_text()
    return set(re.findall(r"[\w.-]+", " ".join(
        line for line in text.splitlines() if re.match(r"\.(It )?(Cm|Op Cm)|Group|\.Cm", line))))


def helps():
    """The help text of each command, from its source."""
    for path in sorted((ROOT / "gateway" / "commands").glob("*.c")):
        text = path.read_text()
        if "Usage: jobgate" in text:
            strings = " ".join(re.findall(r'"(?:[^"\\]|\\.)*"', text))
            yield path.name, set(re.findall(r"--[a-z]+", strings))


def test_every_key_of_a_site_is_in_its_manual():
    known = words("jobgate.conf.5")
    assert len(keys(False)) > 50
    assert not [entry for entry in keys(False) if entry[1] not in known]


def test_every_key_of_a_profile_is_in_its_manual():
    known = words("jobgate-profile.5")
    assert len(keys(True)) > 40
    assert not [entry for entry in keys(True) if entry[1] not in known]


def test_every_option_is_in_the_manual_and_completed():
    page = (MANUAL / "jobgate.1").read_text()
    completion = (ROOT / "conf" / "jobgate.bash-completion").read_text()
    found = [(name, option) for name, options in helps() for option in options]
    assert len(found) > 30
    assert not [entry for entry in found if f"Fl {entry[1][1:]}" not in page]
    assert not [entry for entry in found if entry[1] not in completion]


def test_every_command_is_in_the_manual_and_completed():
    main = (ROOT / "gateway" / "main.c").read_text()
    commands = re.findall(r'\{"([a-z]+)", command_', main)
    page = (MANUAL / "jobgate.1").read_text()
    completion = (ROOT / "conf" / "jobgate.bash-completion").read_text()
    assert "run" in commands
    for command in commands:
        assert re.search(rf"^\.It Cm {command}\b", page, re.M), command
        assert re.search(rf"commands='[^']*\b{command}\b", completion), command


@pytest.mark.parametrize("page", sorted(path.name for path in MANUAL.glob("*.[0-9]")))
def test_a_manual_page_is_laid_out_without_a_warning(page):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    made = subprocess.run(["groff", "-ww", "-man", "-mdoc", "-Tutf8", str(MANUAL / page)],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    if shutil.which("man"):
        made = subprocess.run(["man", "--warnings", "-l", str(MANUAL / page)], timeout=PATIENCE,
                              capture_output=True, text=True, check=False)
        assert (made.returncode, made.stderr) == (0, "")


@pytest.mark.parametrize("line, expected", [
    ("jobgate read ro", ["room-01", "room-02"]),
    ("jobgate read --config x.conf ro", ["room-01", "room-02"]),
    ("jobgate read --json --config=x.conf room-01 s", ["setpoint", "state"]),
    ("jobgate write room-01 setpoint=20 m", ["mode="]),
    ("jobgate call room-02 ", ["reboot"]),
    ("jobgate plan plant ", ["start"]),
    ("jobgate job s", ["submit", "show"]),
    ("jobgate job submit --w", ["--watch"]),
])
def test_the_completion_knows_devices_points_and_methods(tmp_path, line, expected):
    library = pathlib.Path("/usr/share/bash-completion/bash_completion")
    if not library.exists():
        pytest.skip("bash-completion is not installed")
    fake = tmp_path / "jobgate"
    told = json.dumps({
        "devices": [{"id": "room-01", "unit": 1, "profile": "room", "tags": {"a": {"b": 1}}},
                    {"id": "room-02", "unit": 2, "profile": "room", "tags": {}},
                    {"id": "plant", "unit": 3, "profile": "chiller", "tags": {}}],
        "profiles": [
            {"name": "room", "title": "Room, 2-pipe", "file": "room.conf",
             "points": [{"name": name, "where": "holding 1"} for name in ("setpoint", "mode", "state")],
             "methods": [{"name": "reboot", "title": "Start, anew", "repeatable": False}]},
            {"name": "chiller", "title": None, "file": "chiller.conf",
             "points": [{"name": "speed", "where": "holding 1"}],
             "methods": [{"name": "start", "title": None, "repeatable": False}]}]},
        separators=(",", ":"))
    fake.write_text(f"#!/bin/sh\ncat <<'EOF'\n{told}\nEOF\n")
    fake.chmod(0o755)
    words = line.split(" ")
    script = (f"PATH={tmp_path}:$PATH; . {library}; . {ROOT}/conf/jobgate.bash-completion; "
              f"COMP_WORDS=({' '.join(words[:-1])} '{words[-1]}'); COMP_CWORD={len(words) - 1}; "
              f"COMP_LINE='{line}'; COMP_POINT={len(line)}; _jobgate 2>/dev/null; "
              'echo "${COMPREPLY[@]}"')
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE,
                          check=False)
    assert told.stdout.split() == expected, told
