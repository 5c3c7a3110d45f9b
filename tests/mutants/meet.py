"""Lets the tests meet every break of the library, and sums up what they see of them.

    cargo mutants --list --json | python3 meet.py FOLDER [PATTERN]

All breaks are woven into one copy of the sources (see weave.py), so that each costs the tests that reach it and nothing else;
the few that cannot be woven are built one by one. Exit status 0: whatever no test sees is explained in `explained.txt`.

A break is named by its file, by what is replaced and by the line that it is in, so that a name lasts as long as the line.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

from weave import Weave, put

HERE = pathlib.Path(__file__).parent
# With all features first; mutants that are missed there may be in code that replaces a feature.
FEATURES = [["--all-features"], [], ["--no-default-features", "--features", "alloc,deflate"]]
JOBS = int(os.environ.get("JOBS", os.cpu_count()))
VARIABLES = {
    # The same cases each time, so that a result can be reproduced.
    "PROPTEST_RNG_SEED": "1",
    "PROPTEST_CASES": os.environ.get("PROPTEST_CASES", "96"),
    "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "true",
    "RUST_BACKTRACE": "0",
    "CARGO_TERM_COLOR": "never",
    # What is built is built once.
    "CARGO_INCREMENTAL": "0",
    "CARGO_PROFILE_DEV_DEBUG": "0",
    "CARGO_PROFILE_DEV_OPT_LEVEL": "1",
    "RUSTFLAGS": "--cap-lints allow",
}
# A mutant may allocate without bound.
MEMORY = 12 << 30
OUTCOMES = ["caught", "timeout", "unviable", "explained", "missed"]


def cargo(root, *arguments, timeout=None):
    """Runs cargo. Gives whether it succeeded, the test programs that it made, and the compiler's errors."""
    environment = os.environ | VARIABLES | {"CARGO_TARGET_DIR": str(root / "target")}
    process = subprocess.Popen(
        ["cargo", *arguments, "--quiet", "--message-format=json"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        output = process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        # Including the compilers that it has started.
        os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0]
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    programs = {
        message["target"]["name"]: message["executable"]
        for message in messages
        if message["reason"] == "compiler-artifact" and message["executable"] and message["profile"]["test"]
    }
    errors = [message["message"] for message in messages if message["reason"] == "compiler-message"]
    return process.returncode == 0, programs, [error for error in errors if error["level"] == "error"]


def build(weave, features):
    """Builds what compiles of the breaks."""
    # The tests have constants of their own that call the library.
    for target in ("--lib", "--tests"):
        while True:
            weave.write()
            succeeded, _, errors = cargo(weave.root, "check", target, *features)
            if succeeded:
                break
            if not weave.take_out(errors):
                sys.exit("\n".join(error["rendered"] or error["message"] for error in errors))
    return cargo(weave.root, "test", "--no-run", "--tests", *features)[1]


class Suite:
    """The test programs of a build, how long each takes, and which functions it reaches."""

    def __init__(self, weave, features):
        self.weave, self.features, self.times, self.reached = weave, features, {}, {}
        self.programs = build(weave, features)
        self.caught = collections.defaultdict(collections.Counter)
        for name, program in sorted(self.programs.items()):
            reached = weave.root / "reached"
            reached.unlink(missing_ok=True)
            self.run(program, 900, REACHED=str(reached))
            began = time.monotonic()
            if self.run(program, 900) != 0:
                print(f"{name} fails without a break, and is left out", flush=True)
                continue
            self.times[name] = time.monotonic() - began
            self.reached[name] = {int(line) for line in reached.read_text().split()} if reached.exists() else set()

    def run(self, program, timeout, **variables):
        """How a program ends: its exit status, or None if it does not."""
        environment = os.environ | VARIABLES | {"CARGO_MANIFEST_DIR": str(self.weave.root)} | variables
        process = subprocess.Popen(
            [program, "--quiet", "--test-threads=1"],
            cwd=self.weave.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def meet(self, number):
        """What becomes of a break that is woven in."""
        function = next(function for function in self.weave.functions if number in function.breaks)
        names = [name for name, reached in self.reached.items() if function.number in reached]
        return self.try_all(names, self.programs, function.file, BREAK=str(number))

    def meet_alone(self, number):
        """What becomes of a break that needs a build of its own."""
        self.weave.write(alone=number)
        # Evaluating a constant may never end.
        if not cargo(self.weave.root, "check", "--lib", *self.features, timeout=300)[0]:
            return "unviable"
        file = self.weave.breaks[number]["file"]
        near = {function.number for function in self.weave.functions if function.file == file}
        names = self.promising([name for name, reached in self.reached.items() if reached & near], file)
        outcome = "missed"
        # The first few find most mutants, and building a program takes longer than running it.
        for some in (names[:3], names[3:]):
            if outcome == "missed" and some:
                chosen = [f"--test={name}" for name in some if name != "websocket_proto"]
                chosen += ["--lib"] if "websocket_proto" in some else []
                succeeded, programs, _ = cargo(self.weave.root, "test", "--no-run", *self.features, *chosen)
                outcome = self.try_all(some, programs, file) if succeeded else "caught"
        return outcome

    def promising(self, names, file):
        """Those first that catch most breaks of a file for their time."""
        caught = self.caught[file]
        return sorted(names, key=lambda name: (self.times[name] + 0.1) / (1 + caught[name]))

    def try_all(self, names, programs, file, **variables):
        for name in self.promising(names, file):
            status = self.run(programs[name], 20 + 5 * self.times[name], **variables)
            if status != 0:
                self.caught[file][name] += 1
                return "timeout" if status is None else "caught"
        return "missed"


def copy_sources(root):
    files = subprocess.run(["git", "ls-files"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for file in map(pathlib.Path, files):
        if file.is_file():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            if file.parts[0] == "src":
                put(root / file, file.read_text())
            else:
                shutil.copy2(file, root / file)


def meet_all(weave, wanted):
    """The outcome of each break."""
    outcomes, left = {}, wanted
    for features in FEATURES:
        began = time.monotonic()
        suite = Suite(weave, features)
        seconds = sum(suite.times.values())
        print(
            f"== {' '.join(features) or 'default features'}: built in {time.monotonic() - began - seconds:.0f} s; "
            f"{len(suite.programs)} programs, {seconds:.0f} s; {len(weave.unviable)} breaks do not compile, "
            f"{len(weave.unwoven)} are not woven",
            flush=True,
        )
        outcomes |= dict.fromkeys(weave.unviable & left, "unviable")
        woven = sorted(left - weave.unviable - weave.unwoven)
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            for number, outcome in zip(woven, pool.map(suite.meet, woven)):
                tell(weave.breaks[number], outcome)
                outcomes[number] = outcome
        for number in sorted(weave.unwoven & left):
            outcomes[number] = suite.meet_alone(number)
            tell(weave.breaks[number], outcomes[number])
        left = {number for number in left if outcomes[number] == "missed"}
        print(f"== {time.monotonic() - began:.0f} s", flush=True)
        if not left:
            break
    return outcomes


def tell(one, outcome):
    if outcome in ("missed", "timeout"):
        print(f"{outcome}: {one['name']}", flush=True)


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


def name_of(one):
    what = re.sub(r"^[^:]+:\d+:\d+: ", "", one["name"])
    line = pathlib.Path(one["file"]).read_text().splitlines()[one["span"]["start"]["line"] - 1]
    return f"{one['file']}: {what} | {line.strip()}"


def room_of(one):
    parts = pathlib.Path(one["file"]).parts[1:]
    return "/".join(part.removesuffix(".rs") for part in parts[: 2 if len(parts) > 2 else 1])


def report(weave, outcomes):
    explained, used, missed = set(explanations()), set(), []
    counts = collections.defaultdict(collections.Counter)
    for number, outcome in sorted(outcomes.items()):
        one = weave.breaks[number]
        name = name_of(one)
        if outcome == "missed" and name in explained:
            used.add(name)
            outcome = "explained"
        elif outcome == "missed":
            missed.append(name)
        counts[room_of(one)][outcome] += 1
    counts = dict(sorted(counts.items()))
    counts["total"] = sum(counts.values(), collections.Counter())
    print(f"\n{'':20}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES))
    for room, count in counts.items():
        print(f"{room:20}" + "".join(f"{count[outcome]:11}" for outcome in OUTCOMES))
    met = {name_of(weave.breaks[number]) for number in outcomes}
    everything = {name_of(one) for one in weave.breaks.values()}
    stale = sorted(name for name in explained - used if name in met or name not in everything)
    for title, names in (("missed, and not explained:", missed), ("explained, but not missed:", stale)):
        if names:
            print(f"\n{title}", *names, sep="\n  ")
    return not missed and not stale


def main():
    folder, pattern = pathlib.Path(sys.argv[1]), re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    root = folder / "tree"
    root.mkdir(parents=True, exist_ok=True)
    copy_sources(root)
    weave = Weave(root, json.load(sys.stdin))
    wanted = {number for number, one in weave.breaks.items() if pattern.search(one["name"])}
    print(f"{len(weave.breaks)} breaks in {len(weave.functions)} functions, {len(wanted)} of them to be met", flush=True)
    outcomes = meet_all(weave, wanted)
    (folder / "outcomes.json").write_text(json.dumps({weave.breaks[n]["name"]: o for n, o in outcomes.items()}, indent=1))
    sys.exit(not report(weave, outcomes))


main()
