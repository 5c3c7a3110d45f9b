"""Sums up what cargo-mutants found: python3 report.py FOLDER ROOM...

A break is named by its file, by what cargo-mutants says of it and by the line that it is in, so that a name lasts as long as
the line does. `explained.txt` holds such names under the reason why no test can see the break.
"""

import collections
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
OUTCOMES = ["caught", "missed", "timeout", "unviable"]
COLUMNS = ["caught", "timeout", "unviable", "explained", "missed"]


def name_of(mutant):
    what = re.sub(r"^[^:]+:\d+:\d+: ", "", mutant["name"])
    line = pathlib.Path(mutant["file"]).read_text().splitlines()[mutant["span"]["start"]["line"] - 1]
    return f"{mutant['file']}: {what} | {line.strip()}"


def outcomes(folder):
    """The last outcome of each break: of those that the room's own tests missed, with all tests."""
    mutants, found = {}, {}
    for run in [*sorted(folder.glob("run-*")), folder / "mutants.out"]:
        mutants |= {mutant["name"]: mutant for mutant in json.loads((run / "mutants.json").read_text())}
        for outcome in OUTCOMES:
            found |= dict.fromkeys((run / f"{outcome}.txt").read_text().splitlines(), outcome)
    return [(mutants[name], outcome) for name, outcome in found.items()]


def explanations():
    reason = None
    for number, line in enumerate((HERE / "explained.txt").read_text().splitlines(), 1):
        if line.startswith("#"):
            reason = line
        elif not line.strip():
            reason = None
        elif reason:
            yield line.strip()
        else:
            sys.exit(f"explained.txt:{number}: without a reason")


def main():
    folder, rooms = pathlib.Path(sys.argv[1]), sys.argv[2:]
    explained = set(explanations())
    used, files, missed, counts = set(), set(), [], {}
    for room in rooms:
        counts[room] = collections.Counter()
        for mutant, outcome in outcomes(folder / room):
            name = name_of(mutant)
            files.add(mutant["file"])
            if outcome == "missed" and name in explained:
                used.add(name)
                outcome = "explained"
            elif outcome == "missed":
                missed.append((mutant["name"], name))
            counts[room][outcome] += 1
    counts["total"] = sum(counts.values(), collections.Counter())
    print(f"\n{'':12}" + "".join(f"{column:>11}" for column in COLUMNS))
    for room, count in counts.items():
        print(f"{room:12}" + "".join(f"{count[column]:11}" for column in COLUMNS))
    stale = sorted(name for name in explained - used if name.split(":")[0] in files)
    for title, names in (("missed, and not explained:", missed), ("explained, but not missed:", [(n, n) for n in stale])):
        if names:
            print(f"\n{title}")
            for place, name in names:
                print(f"  {name}" if place == name else f"  {name}  ({place.split(': ')[0]})")
    sys.exit(bool(missed or stale))


main()
