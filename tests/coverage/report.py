"""Prints what llvm-cov exported about src/, and compares what is not reached with `explained.txt`.

    python3 report.py COVERAGE.json [--partial]

A line is named by its file and its text; a condition also by the value that it never has. With --partial, as not all tests were
run, a name in the list that is reached is no error, and neither is one that is missing there.
"""

import collections
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from explained import explained  # noqa: E402


def missed_lines(file):
    """The lines that belong to code, none of which ever ran."""
    counts = {}
    segments = file["segments"]
    for index, (line, _, count, has_count, is_entry, is_gap) in enumerate(segments):
        if not has_count or is_gap:
            continue
        following = segments[index + 1][0] if index + 1 < len(segments) else line
        counts.setdefault(line, []).append((count, is_entry))
        for inner in range(line + 1, following):
            counts.setdefault(inner, []).append((count, True))
    return sorted(line for line, seen in counts.items() if any(e for _, e in seen) and not any(c for c, _ in seen))


def missed_branches(file):
    """Where a condition never was true, or never false, in any instance of the code: lines, columns and values."""
    taken = {}
    for line, column, _, _, when_true, when_false, *_ in file["branches"]:
        was = taken.setdefault((line, column), [0, 0])
        was[0] += when_true
        was[1] += when_false
    for (line, column), counts in sorted(taken.items()):
        yield from ((line, column, value) for value, count in zip(("true", "false"), counts) if count == 0)


def not_reached(name, file):
    """The places that are not reached, each with its name in `explained.txt`."""
    texts = pathlib.Path(name).read_text().splitlines()
    for line in missed_lines(file):
        text = texts[line - 1].strip()
        # A closing brace is reached when the line before it is.
        if re.search(r"\w", text):
            yield f"{line}", f"{name}: {text}"
    for line, column, value in missed_branches(file):
        yield f"{line}:{column}", f"{name}: never {value} | {texts[line - 1].strip()}"


def row(name, counts):
    def share(kind):
        covered, count = counts[kind, "covered"], counts[kind, "count"]
        return f"{covered} of {count} ({100 * covered / count:.1f} %)" if count else ""

    print(f"| {name} | {share('lines')} | {share('branches')} |")


def counts_of(file):
    return collections.Counter({(kind, what): file["summary"][kind][what] for kind in ("lines", "branches") for what in ("covered", "count")})


def table(title, counts):
    print(f"\n| {title} | lines | branches |\n|---|---|---|")
    for name, count in counts.items():
        row(name, count)
    row("total", sum(counts.values(), collections.Counter()))


def module_of(name):
    parts = pathlib.Path(name).parts[1:]
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".rs")


def main():
    partial = "--partial" in sys.argv
    (data,) = json.loads(pathlib.Path(sys.argv[1]).read_text())["data"]
    root = os.path.join(os.getcwd(), "")
    files = {file["filename"].removeprefix(root): file for file in data["files"] if file["filename"].startswith(root + "src/")}
    modules = collections.defaultdict(collections.Counter)
    for name, file in files.items():
        modules[module_of(name)].update(counts_of(file))
    table("file", {name: counts_of(file) for name, file in files.items()})
    table("module", dict(sorted(modules.items())))
    places = [(name.split(":")[0], place, name) for path, file in files.items() for place, name in not_reached(path, file)]
    known = set(explained(HERE / "explained.txt"))
    unknown = [f"{path}:{place}: {name.split(': ', 1)[1]}" for path, place, name in places if name not in known]
    stale = sorted(known - {name for _, _, name in places})
    for title, names in (("not reached:", unknown), ("explained, but reached:", [] if partial else stale)):
        if names:
            print(f"\n{title}", *names, sep="\n  ")
    sys.exit(bool(unknown or stale) and not partial)


main()
