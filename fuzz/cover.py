"""Reads the coverage of inputs from control files of libFuzzer's `-set_cover_merge=1`. `minimize` calls it:

cover.py compare COUNTERS FOLDER: compares the control files `before*` with `after*` in the folder. Prints the edges and features
that the inputs reach before, and how many of them after, and fails if coverage is lost.
cover.py lost COUNTERS FOLDER KEPT: prints the names of inputs to keep too, which reach what is lost and are not in the folder KEPT.
cover.py choose COUNTERS CONTROL_FILE INPUTS BYTES: prints the inputs to keep, in hex.
"""

import sys
from pathlib import Path


def coverage(control):
    """The number of inputs in the first folder, and each input with its features."""
    lines = Path(control).read_text().splitlines()
    count, first = int(lines[0]), int(lines[1])
    features = [set() for _ in range(count)]
    for line in lines[2 + count :]:
        kind, *numbers = line.split()
        if kind == "FT":
            features[int(numbers[0])] = set(map(int, numbers[1:]))
    return first, list(zip(lines[2 : 2 + count], features))


def edges(features, counters):
    """libFuzzer counts the executions of each edge in eight ranges, and numbers those features first."""
    return {feature // 8 for feature in features if feature < 8 * counters}


def union(sets):
    return set().union(*sets)


def runs(folder, kind):
    """The coverage of each run of a kind, `before` or `after`."""
    return [coverage(control)[1] for control in sorted(Path(folder).glob(f"{kind}*"))]


def compare(counters, folder):
    """Some coverage differs from run to run, with addresses for example. So all runs before have to reach it, and any run after. Some
    features depend on which input is the first, which initializes what all share, so two of a thousand may be lost, but no edge.
    """
    reached = [[union(features for _, features in run) for run in runs(folder, kind)] for kind in ("before", "after")]
    before = set.intersection(*reached[0])
    after = before & union(reached[1])
    print(len(edges(before, counters)), len(edges(after, counters)), len(before), len(after))
    return edges(before, counters) == edges(after, counters) and 500 * len(before - after) <= len(before)


def lost(counters, folder, kept):
    """An input may reach an edge only behind others, such as one that leaves something to reuse. Which input that is differs with the
    order, so for each edge that is lost, takes from each run before the smallest one that is not kept.
    """
    before = runs(folder, "before")
    reached = [edges(union(features for _, features in run), counters) for run in before]
    missing = set.intersection(*reached) - edges(union(features for run in runs(folder, "after") for _, features in run), counters)
    for run in before:
        left = {Path(name).name: edges(features, counters) & missing for name, features in run}
        left = {name: lost for name, lost in left.items() if lost and not (Path(kept) / name).exists()}
        for edge in union(left.values()):
            print(min((name for name in left if edge in left[name]), key=lambda name: (Path(folder, "all", name).stat().st_size, name)))


def choose(counters, control, inputs, size):
    """The seeds are in the second folder. Takes the input that adds the most edges, the smaller one of two, as long as one adds any."""
    first, all_inputs = coverage(control)
    seen = edges(union(features for _, features in all_inputs[first:]), counters)
    left = {name: edges(features, counters) for name, features in all_inputs[:first]}
    sizes = {name: Path(name).stat().st_size for name in left}
    while inputs > 0:
        left = {name: reached - seen for name, reached in left.items() if sizes[name] <= size and not reached <= seen}
        if not left:
            break
        best = min(left, key=lambda name: (-len(left[name]), sizes[name], name))
        print(Path(best).read_bytes().hex())
        seen |= left.pop(best)
        inputs, size = inputs - 1, size - sizes[best]


def main():
    command, counters, *rest = sys.argv[1:]
    if command == "compare":
        sys.exit(not compare(int(counters), *rest))
    if command == "lost":
        return lost(int(counters), *rest)
    control, inputs, size = rest
    choose(int(counters), control, int(inputs), int(size))


main()
