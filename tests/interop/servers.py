"""The commands that start the peers' programs."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = ["websockets", "aiohttp", "picows", "tornado", "gorilla", "nhooyr", "netty"]
RUST = ["tungstenite", "fastwebsockets"]
# The peers that run the compression cells. yawc runs only those.
COMPRESSING_SERVERS = ["ws", "websockets", "aiohttp", "yawc"]
COMPRESSING_CLIENTS = ["chromium", *COMPRESSING_SERVERS]
VERSIONS = ["ws818", "ws821"]
# Peers with fewer settings, and the cells or groups that they can run. `ws818` and `ws821` are earlier versions of `ws`.
WINDOWED_SERVERS = ["ws", *VERSIONS, "netty"]
WINDOWED_CLIENTS = ["ws", *VERSIONS]
OFFERED_TO = {
    **{name: ["compression, defaults"] for name in (*VERSIONS, "tornado", "netty")},
    "gorilla": ["compression, defaults, to a server without takeover"],
    "nhooyr": ["compression, defaults", "compression, defaults, to a server without takeover"],
}
ANSWERED = {
    **{name: ["compression, defaults"] for name in (*VERSIONS, "tornado", "netty")},
    "gorilla": ["compression, no takeover, as the client asks"],
    "nhooyr": ["compression, defaults", "compression, no takeover, as the client asks"],
}
for windowed, run in ((WINDOWED_SERVERS, OFFERED_TO), (WINDOWED_CLIENTS, ANSWERED)):
    for name in windowed:
        run.setdefault(name, []).append("windows")


def rust(name, role):
    # PEERS: the directory of the programs built from tests/interop/peers.
    return [f"{os.environ.get('PEERS', '')}/{name}", role]


SERVERS = {
    "ours": rust("ours", "server"),
    "ws": ["node", HERE / "node/server.js"],
    **{name: [sys.executable, HERE / "python/server.py", name] for name in PYTHON},
    **{name: rust(name, "server") for name in RUST},
}
CLIENTS = {
    "ours": rust("ours", "client"),
    **{name: ["node", HERE / "node/client.js", name] for name in ["ws", "undici", "chromium"]},
    **{name: [sys.executable, HERE / "python/client.py", name] for name in [*PYTHON, "curl", "websocket-client"]},
    **{name: rust(name, "client") for name in RUST},
}

# The peers that run only compression cells.
COMPRESSING_ONLY = {
    "client": {"yawc": rust("yawc", "client"), **{name: ["node", HERE / "node/client.js", name] for name in VERSIONS}},
    "server": {"yawc": rust("yawc", "server"), **{name: ["node", HERE / "node/server.js", name] for name in VERSIONS}},
}


@contextlib.contextmanager
def serving(command, stderr=None):
    """Starts a server. Yields its URL."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True) as server:
        try:
            line = server.stdout.readline()
            if not line.startswith("listening on "):
                raise RuntimeError(f"{command[0]} did not start, but printed {line!r}")
            yield line.removeprefix("listening on ").strip()
        finally:
            server.kill()
