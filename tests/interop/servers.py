"""The programs of the peers, as they are started."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = ["websockets", "aiohttp", "picows", "tornado", "gorilla", "nhooyr", "netty"]
RUST = ["tungstenite", "fastwebsockets"]
# Those with compression, for those cells; yawc for no others.
COMPRESSING_SERVERS = ["ws", "websockets", "aiohttp", "yawc"]
COMPRESSING_CLIENTS = ["chromium", *COMPRESSING_SERVERS]


def rust(name, role):
    # PEERS: the folder of the programs of tests/interop/peers, built.
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

YAWC = {role: rust("yawc", role) for role in ("client", "server")}


@contextlib.contextmanager
def serving(command, stderr=None):
    """Starts a server, and yields its URL."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True) as server:
        try:
            line = server.stdout.readline()
            if not line.startswith("listening on "):
                raise RuntimeError(f"{command[0]} did not start: it said {line!r}")
            yield line.removeprefix("listening on ").strip()
        finally:
            server.kill()
