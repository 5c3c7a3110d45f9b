"""Reads a list of exceptions: names, one in a line, below a line that begins with `#` and gives the reason for them."""

import pathlib
import sys


def explained(path):
    """The names in the list. The program ends if one has no reason."""
    names, reason = [], None
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        if line.startswith("#"):
            reason = line
        elif not line.strip():
            reason = None
        elif reason:
            names.append(line.strip())
        else:
            sys.exit(f"{path}:{number}: without a reason")
    return names
