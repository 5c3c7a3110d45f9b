"""Prints what llvm-cov exported about src/ for each program, and compares what is not reached with `explained.txt`.

    python3 report.py [--partial] PROGRAM.json...

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


def lines_of(programs):
    """The lines that belong to code, each with whether it ran in any program."""
    counts = {}
    for segments in (program["segments"] for program in programs):
        for index, (line, _, count, has_count, is_entry, is_gap) in enumerate(segments):
            if not has_count or is_gap:
                continue
            following = segments[index + 1][0] if index + 1 < len(segments) else line
            counts.setdefault(line, []).append((count, is_entry))
            for inner in range(line + 1, following):
                counts.setdefault(inner, []).append((count, True))
    return {line: any(c for c, _ in seen) for line, seen in sorted(counts.items()) if any(e for _, e in seen)}


def branches_of(programs):
    """The values of each condition: its line, its column and the value, each with whether it was that in any instance of the code."""
    taken = collections.Counter()
    for line, column, _, _, when_true, when_false, *_ in (branch for program in programs for branch in program["branches"]):
        taken.update({(line, column, "true"): when_true, (line, column, "false"): when_false})
    return {place: taken[place] > 0 for place in sorted(taken, key=lambda place: (*place[:2], place[2] == "false"))}


def not_reached(name, programs):
    """The places that are not reached, each with its name in `explained.txt`."""
    texts = pathlib.Path(name).read_text().splitlines()
    for line, ran in lines_of(programs).items():
        text = texts[line - 1].strip()
        # A closing brace is reached when the line before it is.
        if not ran and re.search(r"\w", text):
            yield f"{line}", f"{name}: {text}"
    for (line, column, value), was in branches_of(programs).items():
        if not was:
            yield f"{line}:{column}", f"{name}: never {value} | {texts[line - 1].strip()}"


def row(name, counts):
    def share(kind):
        covered, count = counts[kind, "covered"], counts[kind, "count"]
        return f"{covered} of {count} ({100 * covered / count:.1f} %)" if count else ""

    print(f"| {name} | {share('lines')} | {share('branches')} |")


def counts_of(programs):
    counts = collections.Counter()
    for kind, reached in (("lines", lines_of(programs)), ("branches", branches_of(programs))):
        counts.update({(kind, "covered"): sum(reached.values()), (kind, "count"): len(reached)})
    return counts


def table(title, counts):
    print(f"\n| {title} | lines | branches |\n|---|---|---|")
    for name, count in counts.items():
        row(name, count)
    row("total", sum(counts.values(), collections.Counter()))


def module_of(name):
    parts = pathlib.Path(name).parts[1:]
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".rs")


def files_of(exports):
    """The files in src/, each with what every program knows of it. Of a function that is always inlined, a program that does not use it
    only knows that it did not run; given several programs, LLVM takes what the first one knows.
    """
    root = os.path.join(os.getcwd(), "")
    files = collections.defaultdict(list)
    for export in exports:
        (data,) = json.loads(pathlib.Path(export).read_text())["data"]
        for file in data["files"]:
            if file["filename"].startswith(root + "src/"):
                files[file["filename"].removeprefix(root)].append(file)
    return dict(sorted(files.items()))


def main():
    partial = "--partial" in sys.argv
    files = files_of(path for path in sys.argv[1:] if path != "--partial")
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
