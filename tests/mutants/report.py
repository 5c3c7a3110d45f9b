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
SUMMARIES = {"CaughtMutant": "caught", "MissedMutant": "missed", "Unviable": "unviable", "Timeout": "timeout"}
COLUMNS = ["caught", "timeout", "unviable", "explained", "missed"]


def name_of(mutant):
    what = re.sub(r"^[^:]+:\d+:\d+: ", "", mutant["name"])
    line = pathlib.Path(mutant["file"]).read_text().splitlines()[mutant["span"]["start"]["line"] - 1]
    return f"{mutant['file']}: {what} | {line.strip()}"


def outcomes(folder):
    """The last outcome of each break: of those that the room's own tests missed, with all tests."""
    found = {}
    for run in ("mutants.out.old", "mutants.out"):
        path = folder / run / "outcomes.json"
        for outcome in json.loads(path.read_text())["outcomes"] if path.exists() else []:
            if outcome["scenario"] != "Baseline":
                mutant = outcome["scenario"]["Mutant"]
                found[mutant["name"]] = (mutant, SUMMARIES[outcome["summary"]])
    return found.values()


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
        for mutant, summary in outcomes(folder / room):
            name = name_of(mutant)
            files.add(mutant["file"])
            if summary == "missed" and name in explained:
                used.add(name)
                summary = "explained"
            elif summary == "missed":
                missed.append((mutant["name"], name))
            counts[room][summary] += 1
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
