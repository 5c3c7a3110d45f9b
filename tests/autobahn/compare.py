"""compare.py ROLE AGENT FOLDER PATTERN...: compares a run's report in FOLDER with expected.json.

Fails on any difference: if the result of a case is worse or better than expected, or if a case is missing.
With KEEP=1 in the environment, writes the index of a complete run without differences to report-ROLE.md.
"""

import ast
import collections
import fnmatch
import json
import os
import re
import sys
from pathlib import Path

role, agent, folder, *patterns = sys.argv[1:]
expectations = json.loads(Path(__file__).with_name("expected.json").read_text())
folder = Path(folder)


def expected(case):
    """Returns the expected verdicts on the messages and on the closing handshake."""
    for pattern, exception in expectations[role]["exceptions"].items():
        if fnmatch.fnmatchcase(case, pattern):
            return exception["behavior"], exception.get("behaviorClose", exception["behavior"])
    default = expectations[role]["default"]
    return default, default


def numerically(case):
    return [int(part) for part in case.split(".")]


# The report lists only the cases that were run. The suite's log lists all cases that should have been run.
log = (folder / "wstest.log").read_text(errors="replace")
cases = re.search(r"^Cases = (\[.*\])$", log, re.MULTILINE)
if not cases:
    sys.exit(f"autobahn {role}: wstest did not list its cases: {log[-300:]}")
planned = ast.literal_eval(cases.group(1))
differences = []
if patterns == ["*"] and len(planned) != expectations["cases"]:
    differences.append(f"the suite has {len(planned)} cases, expected {expectations['cases']}")

index = folder / "index.json"
results = json.loads(index.read_text()).get(agent, {}) if index.exists() else {}
if not results:
    differences.append(f"no case was run; see {folder / 'wstest.log'}")
else:
    for case in sorted(set(planned) | set(results), key=numerically):
        result = results.get(case)
        got = (result["behavior"], result["behaviorClose"]) if result else ("missing", "missing")
        if got != expected(case):
            wanted, wanted_close = expected(case)
            differences.append(f"{case}: {got[0]}, close {got[1]}; expected {wanted}, close {wanted_close}")

for difference in differences:
    print(f"autobahn {role}: {difference}")
counts = collections.Counter(result["behavior"] for result in results.values())
figures = ", ".join(f"{verdict} {count}" for verdict, count in counts.most_common()) or "none"
if results:
    print(f"autobahn {role}: report in {folder / 'index.html'}")
summary = f"{len(results)} cases: {figures}; {len(differences)} differences from expected.json"
print(f"autobahn {role}: {summary}")

if os.environ.get("KEEP") and patterns == ["*"] and not differences:
    lines = [f"# Autobahn|Testsuite, {role} role", "", summary, ""]
    lines += ["| case | messages | closing | close code |", "|---|---|---|---|"]
    for case in sorted(results, key=numerically):
        result = results[case]
        verdicts = result["behavior"], result["behaviorClose"], result["remoteCloseCode"] or "none"
        lines.append("| " + " | ".join([case, *map(str, verdicts)]) + " |")
    Path(__file__).with_name(f"report-{role}.md").write_text("\n".join(lines) + "\n")
sys.exit(bool(differences))
