"""Runs the tests against every mutant of the library, and reports which mutants they catch.

    cargo mutants --list --json | python3 meet.py DIRECTORY [PATTERN]

All mutants are woven into one copy of the sources (see weave.py), and each is run with the tests that reach its function, one
process for each test; the few that cannot be woven are built one by one. Outcomes are kept in DIRECTORY, so a run continues where
the last one was stopped. Exit status 0: every mutant that no test catches is in `explained.txt`, and nothing else is in there.

In `explained.txt` a mutant is named by its file, what is replaced, and the text of its line, so a name is valid until the line changes.
"""

import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

from weave import Weave, put

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import explained as exceptions  # noqa: E402

# With all features first; mutants that are missed there may be in code that replaces a feature.
FEATURES = [["--all-features"], [], ["--no-default-features", "--features", "alloc,deflate"]]
# With some test programs only, a mutant that they miss is not yet decided.
PROGRAMS = [f"--test={name}" for name in os.environ.get("TESTS", "").split()]
CHOSEN = ["--lib", *PROGRAMS] if PROGRAMS else ["--tests"]
JOBS = int(os.environ.get("JOBS", os.cpu_count()))
VARIABLES = {
    # The same cases each time, so that a result can be reproduced.
    "PROPTEST_RNG_SEED": "1",
    "PROPTEST_CASES": os.environ.get("PROPTEST_CASES", "96"),
    "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "true",
    # The first failure is enough.
    "PROPTEST_MAX_SHRINK_ITERS": "0",
    "RUST_BACKTRACE": "0",
    "CARGO_TERM_COLOR": "never",
    # What is built is built once.
    "CARGO_INCREMENTAL": "0",
    "CARGO_PROFILE_DEV_DEBUG": "0",
    "CARGO_PROFILE_DEV_OPT_LEVEL": os.environ.get("OPT_LEVEL", "1"),
    # Mutants have unused variables and unreachable code.
    "RUSTC_WORKSPACE_WRAPPER": str(HERE / "rustc"),
}
# How much the tests let other programs go first.
NICE = int(os.environ.get("NICE", 10))
# In seconds. The tests that take longer come after all others.
QUICK = 0.2
# A mutant may allocate without bound.
MEMORY = 4 << 30
# In seconds of wall time: a mutant may wait for ever. One that computes for ever is stopped earlier.
PATIENCE = 120
OUTCOMES = ["caught", "timeout", "unviable", "explained", "missed"]
TITLES = ["caught", "by not ending", "does not compile", "explained", "missed"]


def cargo(root, *arguments, timeout=None):
    """Runs cargo. Returns whether it succeeded, the test programs that it made, and the compiler's errors."""
    # The copies of the sources share what is built of other crates.
    environment = os.environ | VARIABLES | {"CARGO_TARGET_DIR": str(root.with_name("tree") / "target")}
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


def build(weave, features, kept):
    """Builds the mutants that compile."""
    # The tests have constants of their own that call the library, so mutants are taken out there too.
    for command in (["check", "--lib"], ["check", "--tests", "--keep-going"], ["test", "--no-run", *CHOSEN]):
        while True:
            weave.write()
            succeeded, programs, errors = cargo(weave.root, *command, *features)
            if succeeded:
                break
            if not weave.take_out(errors):
                sys.exit("\n".join(error["rendered"] or error["message"] for error in errors))
            kept.keep_woven()
            print(f"{len(weave.unviable)} mutants do not compile, {len(weave.unwoven)} cannot be woven", flush=True)
    return programs


class Test:
    """One test of a program, how long it takes, and which functions it reaches."""

    def __init__(self, program, name, seconds, reached):
        self.program, self.name, self.seconds, self.reached = program, name, seconds, frozenset(reached)

    def __str__(self):
        return f"{self.program} {self.name}"


class Suite:
    """The tests of a build."""

    def __init__(self, weave, features, kept, directory):
        self.weave, self.features = weave, features
        self.programs = build(weave, features, kept)
        self.caught = collections.defaultdict(collections.Counter)
        self.tests = list(self.measure(directory / "tests.json"))
        tests = {str(test): test for test in self.tests}
        for number, by in kept.catchers():
            if by in tests:
                self.count(tests[by], self.places_of(number))

    def measure(self, path):
        """Runs each test without a mutant. What is known of an unchanged program is kept in a file."""
        known, kept = json.loads(path.read_text()) if path.exists() else {}, {}
        for program, executable in sorted(self.programs.items()):
            digest = digest_of(pathlib.Path(executable).read_bytes() + VARIABLES["PROPTEST_CASES"].encode())
            kept[digest] = known.get(digest) or self.measure_each(executable)
            put(path, json.dumps(known | kept))
            for name, (seconds, reached) in kept[digest].items():
                if seconds is None:
                    print(f"{program} {name} fails without a mutant, and is left out", flush=True)
                else:
                    yield Test(program, name, seconds, reached)

    def measure_each(self, executable):
        listed = subprocess.run([executable, "--list", "--format=terse"], stdout=subprocess.PIPE, text=True, check=True).stdout
        names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            return dict(zip(names, pool.map(lambda name: self.measure_one(executable, name), names)))

    def measure_one(self, executable, name):
        reached = self.weave.root / f"reached-{digest_of(name.encode())}"
        status, seconds = self.run(executable, name, 900, REACHED=str(reached))
        functions = sorted(map(int, reached.read_text().split())) if reached.exists() else []
        reached.unlink(missing_ok=True)
        if status != 0:
            # The record of what is reached allocates, which a test may count.
            status, seconds = self.run(executable, name, 900)
        return seconds if status == 0 else None, functions

    def run(self, executable, test, seconds, **variables):
        """How a test ends within so many seconds of CPU time: the exit status, or None if it does not; and how many it takes."""
        environment = os.environ | VARIABLES | {"CARGO_MANIFEST_DIR": str(self.weave.root)} | variables

        def limit():
            os.nice(max(0, NICE - os.nice(0)))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        process = subprocess.Popen(
            [executable, "--quiet", "--test-threads=1", "--exact", test],
            cwd=self.weave.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=limit,
        )
        timer = threading.Timer(PATIENCE + 2 * seconds, os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        ended = process.returncode not in (-signal.SIGXCPU, -signal.SIGKILL)
        return process.returncode if ended else None, usage.ru_utime + usage.ru_stime

    def meet(self, number, slow):
        """The outcome of a mutant that is woven in by the quick tests or by the slow ones, and the test that decides it."""
        function = self.weave.function_of[number]
        tests = [test for test in self.tests if function.number in test.reached and (test.seconds > QUICK) == slow]
        return self.try_all(tests, self.programs, self.places_of(number), MUTANT=str(number))

    def meet_alone(self, number):
        """The outcome of a mutant that needs a build of its own, and the test that decides it."""
        root = self.weave.root.with_name("alone")
        copy_sources(root)
        self.weave.write_alone(root, number)
        # Evaluating a constant may never end.
        if not cargo(root, "check", "--lib", *self.features, timeout=300)[0]:
            return "unviable", ""
        file = self.weave.mutants[number]["file"]
        near = {function.number for function in self.weave.functions if function.file == file}
        # A constant may be used elsewhere, when its own file has no function that a test reaches.
        places = self.places_of(number)
        tests = self.promising([test for test in self.tests if test.reached & near] or self.tests, places)
        names = list(dict.fromkeys(test.program for test in tests))
        # The first few catch most mutants, and building a program takes longer than running it.
        for some in filter(None, (names[:2], names[2:])):
            chosen = [f"--test={name}" for name in some if name != "websocket_proto"]
            chosen += ["--lib"] if "websocket_proto" in some else []
            succeeded, programs, _ = cargo(root, "test", "--no-run", *self.features, *chosen)
            if not succeeded:
                return "caught", "the compiler"
            outcome, by = self.try_all([test for test in tests if test.program in some], programs, places)
            if outcome != "missed":
                return outcome, by
        return "missed", ""

    def places_of(self, number):
        """The file and the function of a mutant, by name. One test often catches most of those in one place."""
        one, function = self.weave.mutants[number], self.weave.function_of.get(number)
        return [one["file"], (one["file"], function.name)] if function else [one["file"]]

    def count(self, test, places):
        for place in places:
            self.caught[place][test] += 1

    def promising(self, tests, places):
        """Those first that catch most mutants of these places for their time."""
        return sorted(tests, key=lambda test: (test.seconds + 0.02) / (1 + sum(self.caught[place][test] for place in places)))

    def try_all(self, tests, programs, places, **variables):
        for test in self.promising(tests, places):
            status, _ = self.run(programs[test.program], test.name, 3 + int(5 * test.seconds), **variables)
            if status != 0:
                self.count(test, places)
                return "timeout" if status is None else "caught", str(test)
        return "missed", ""


def digest_of(data):
    return hashlib.sha256(data).hexdigest()[:16]


def copy_sources(root, woven=()):
    """Copies all but the files that are woven. One that did not change is not written, so that it is not built again. A file of an
    earlier run that is not in the tree any more is deleted: it might be a program that Cargo finds."""
    listed = subprocess.run(["git", "ls-files"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    files = [pathlib.Path(file) for file in listed]
    known = set(files)
    for copy in [copy for copy in root.rglob("*") if copy.is_file() or copy.is_symlink()]:
        file = copy.relative_to(root)
        if file.parts[0] != "target" and file not in known:
            copy.unlink()
    for file in files:
        copy = root / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or str(file) in woven:
            continue
        if not copy.exists() or copy.read_bytes() != file.read_bytes():
            shutil.copy(file, copy)


class Kept:
    """The outcomes of earlier runs. One holds until the mutant's function changes, or its file if it is in none; a missed mutant is
    tried again each time."""

    def __init__(self, path, weave):
        self.path, self.weave, self.lock, self.written = path, weave, threading.Lock(), 0
        self.outcomes = json.loads(path.read_text()) if path.exists() else {}
        self.unwoven = path.with_name("unwoven.json")
        self.keys, same = {}, collections.Counter()
        for number in weave.mutants:
            digest = digest_of(weave.text_of(number).encode())
            self.keys[number] = f"{digest}.{same[digest]}"
            same[digest] += 1

    def find(self, number):
        return self.outcomes.get(self.keys[number], ("", ""))[0]

    def keep(self, number, outcome, by=""):
        with self.lock:
            self.outcomes[self.keys[number]] = outcome, by
            # Writing all of them each time would take longer than most tests.
            if time.monotonic() > self.written + 5:
                self.write()
        if outcome in ("missed", "timeout"):
            print(f"{outcome}: {self.weave.mutants[number]['name']} {by}", flush=True)

    def catchers(self):
        """The test that caught each mutant, with the mutant's number."""
        for number, key in self.keys.items():
            outcome, by = self.outcomes.get(key, ("", ""))
            if outcome in ("caught", "timeout"):
                yield number, by

    def start(self):
        """Takes out what was taken out in the last run, so that the sources are the same, and nothing is built again."""
        alone = set(json.loads(self.unwoven.read_text())) if self.unwoven.exists() else set()
        self.weave.unviable.update(number for number in self.keys if self.find(number) == "unviable")
        self.weave.unwoven.update(number for number, key in self.keys.items() if key in alone)

    def keep_woven(self):
        for number in (n for n in self.weave.unviable if self.find(n) in ("", "missed")):
            self.outcomes[self.keys[number]] = "unviable", ""
        put(self.unwoven, json.dumps([self.keys[number] for number in sorted(self.weave.unwoven)]))
        self.write()

    def write(self):
        self.written = time.monotonic()
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps(self.outcomes, indent=0))
        written.replace(self.path)


def order(numbers, weave):
    """Those last that are expected to run every test."""
    names = set(exceptions.explained(HERE / "explained.txt"))
    return sorted(numbers, key=lambda number: (name_of(weave.mutants[number]) in names, number))


def meet_all(weave, wanted, kept, directory):
    """Decides each mutant that is wanted and not yet decided."""
    kept.start()
    left = {number for number in wanted if kept.find(number) in ("", "missed")}
    for features in FEATURES:
        if not left:
            return
        began = time.monotonic()
        suite = Suite(weave, features, kept, directory)
        print(
            f"== {' '.join(features) or 'default features'}: {len(left)} mutants, {len(left & weave.unwoven)} of them not woven; "
            f"{len(suite.tests)} tests, {sum(test.seconds for test in suite.tests):.0f} s; ready after {time.monotonic() - began:.0f} s",
            flush=True,
        )
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            woven = order(left - weave.unviable - weave.unwoven, weave)
            # A few slow tests take most of the time of a mutant that is missed.
            for slow in (False, True):
                woven = [number for number in woven if kept.find(number) in ("", "missed")]
                list(pool.map(lambda number: kept.keep(number, *suite.meet(number, slow)), woven))
        for number in order(weave.unwoven & left - weave.unviable, weave):
            if not os.environ.get("WOVEN"):
                kept.keep(number, *suite.meet_alone(number))
        kept.write()
        left = {number for number in left if kept.find(number) in ("", "missed")}
        print(f"== {time.monotonic() - began:.0f} s", flush=True)


def name_of(one):
    what = re.sub(r"^[^:]+:\d+:\d+: ", "", one["name"])
    line = pathlib.Path(one["file"]).read_text().splitlines()[one["span"]["start"]["line"] - 1]
    return f"{one['file']}: {what} | {line.strip()}"


def module_of(one):
    parts = pathlib.Path(one["file"]).parts[1:]
    return "/".join(part.removesuffix(".rs") for part in parts[: 2 if len(parts) > 2 else 1])


def report(weave, wanted, kept):
    """Prints the table of outcomes, and what is not as it should be. Returns whether all is."""
    explained, used, missed, untried = set(exceptions.explained(HERE / "explained.txt")), set(), [], 0
    counts = collections.defaultdict(collections.Counter)
    for number in sorted(wanted):
        name, outcome = name_of(weave.mutants[number]), kept.find(number)
        if outcome == "missed" and name in explained:
            used.add(name)
            outcome = "explained"
        elif outcome == "missed":
            missed.append(name)
        untried += outcome == ""
        counts[module_of(weave.mutants[number])][outcome] += 1
    counts = dict(sorted(counts.items()))
    counts["total"] = sum(counts.values(), collections.Counter())
    print("\n| module | mutants |", " | ".join(TITLES), "|\n|---|", "--:|" * (1 + len(TITLES)), sep="")
    for module, count in counts.items():
        print(f"| {module} | {count.total()} |", " | ".join(str(count[outcome]) for outcome in OUTCOMES), "|")
    everything = {name_of(one) for one in weave.mutants.values()}
    tried = {name_of(weave.mutants[number]) for number in wanted if kept.find(number)}
    stale = sorted(name for name in explained - used if name in tried or name not in everything)
    for title, names in (("missed, and not explained:", missed), ("explained, but not missed:", stale)):
        if names:
            print(f"\n{title}", *names, sep="\n  ")
    if untried:
        print(f"\nnot tried: {untried}")
    return not missed and not stale and not untried


def main():
    directory, pattern = pathlib.Path(sys.argv[1]), re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    root = directory / "tree"
    root.mkdir(parents=True, exist_ok=True)
    weave = Weave(root, json.load(sys.stdin))
    copy_sources(root, weave.texts)
    kept = Kept(directory / "outcomes.json", weave)
    wanted = {number for number, one in weave.mutants.items() if pattern.search(one["name"])}
    print(f"{len(weave.mutants)} mutants in {len(weave.functions)} functions, {len(wanted)} of them wanted", flush=True)
    meet_all(weave, wanted, kept, directory)
    sys.exit(not report(weave, wanted, kept))


if __name__ == "__main__":
    main()
