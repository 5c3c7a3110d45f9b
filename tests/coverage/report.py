"""Prints what cargo-llvm-cov found of src/: python3 report.py COVERAGE.json"""

import json
import os
import sys


def ranges(lines):
    """1, 2, 3, 7 as "1-3 7"."""
    runs = []
    for line in lines:
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


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
    """Where a condition never was true, or never false, in any instance of the code."""
    taken = {}
    for line, column, _, _, when_true, when_false, *_ in file["branches"]:
        was = taken.setdefault((line, column), [0, 0])
        was[0] += when_true
        was[1] += when_false
    for (line, column), counts in sorted(taken.items()):
        for name, count in zip(("true", "false"), counts):
            if count == 0:
                yield f"{line}:{column} is never {name}"


def row(name, lines, branches):
    def share(part):
        covered, count = part
        return f"{covered:5} / {count:5} {100 * covered / count:6.1f} %" if count else f"{'':22}"

    print(f"{name:34} {share(lines)}   {share(branches)}")


def main():
    (data,) = json.load(open(sys.argv[1]))["data"]
    files = [(file["filename"].split("/src/", 1)[1], file) for file in data["files"] if is_ours(file["filename"])]
    print(f"\n{'':34} {'lines':>22}   {'branches':>22}")
    rooms = {}
    for name, file in files:
        lines, branches = ([file["summary"][kind][what] for what in ("covered", "count")] for kind in ("lines", "branches"))
        row(name, lines, branches)
        for room in (name.split("/")[0] if "/" in name else "(root)", "total"):
            sums = rooms.setdefault(room, [[0, 0], [0, 0]])
            for total, part in zip(sums, (lines, branches)):
                total[0] += part[0]
                total[1] += part[1]
    print()
    for room, (lines, branches) in sorted(rooms.items(), key=lambda item: item[0] == "total"):
        row(room, lines, branches)
    print("\nnot reached:")
    for name, file in files:
        lines, branches = missed_lines(file), list(missed_branches(file))
        if lines:
            print(f"  src/{name}: lines {ranges(lines)}")
        for branch in branches:
            print(f"  src/{name}:{branch}")


def is_ours(path):
    return path.startswith(os.path.join(os.getcwd(), "src") + "/")


main()
