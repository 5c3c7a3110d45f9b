"""cat.py PROGRAM: tests the `cat` example with servers on node's `ws` and Python's `websockets`."""

import subprocess
import sys
import threading

from servers import SERVERS, serving

PROGRAM = sys.argv[1]
LINES = ["hello", "Zażółć gęślą jaźń, 日本語, 🦀", "", "last"]


def check(peer, name, run):
    try:
        run()
        print(f"ok   {peer:15} {name}")
    except Exception as error:
        print(f"FAIL {peer:15} {name}: {str(error) or repr(error)}")
    sys.stdout.flush()


def cat(url, lines, answers=0):
    """Runs `cat` with these lines, and closes its standard input after it has printed `answers` lines."""
    return converse(url, lines, lambda stdout: [stdout.readline() for _ in range(answers)])


def cat_at_a_terminal(url, lines=()):
    """Runs `cat` with a standard input that stays open, as in a terminal, until the server ends the connection."""
    return converse(url, lines, lambda stdout: list(stdout))


def converse(url, lines, read):
    process = subprocess.Popen(
        [PROGRAM, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    watchdog = threading.Timer(15, process.kill)
    watchdog.start()
    with process:
        process.stdin.write("".join(f"{line}\n" for line in lines))
        process.stdin.flush()
        received = read(process.stdout)
        stdout, stderr = process.communicate()
        watchdog.cancel()
        return process.returncode, [line.rstrip("\n") for line in received] + stdout.splitlines(), stderr


def expect(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r:.200}, expected {expected!r:.200}")


def expect_words(stderr, *words):
    missing = [word for word in words if word not in stderr]
    if missing:
        raise AssertionError(f"stderr does not contain {missing}: {stderr!r:.200}")


def all_cases(peer, url):
    def echoed():
        expect(cat(f"{url}/echo", LINES, answers=len(LINES))[:2], (0, LINES))

    def no_input():
        expect(cat(f"{url}/echo", [])[:2], (0, []))

    def long_line():
        line = "aé日🦀" * 7000
        expect(cat(f"{url}/echo", [line], answers=1)[:2], (0, [line]))

    def binary():
        expect(cat(f"{url}/binary", [], answers=1)[:2], (0, ["007f80ff"]))

    def closed_by_server():
        status, _, stderr = cat_at_a_terminal(f"{url}/close")
        expect_words(stderr, "4001", "bye")
        expect(status, 0)

    def cut():
        status, _, stderr = cat_at_a_terminal(f"{url}/cut", ["cut me"])
        if status <= 0 or not stderr:
            raise AssertionError(f"got exit code {status} and stderr {stderr!r}, expected a nonzero exit code and a message")

    def refused():
        status, stdout, stderr = cat_at_a_terminal(f"{url}/403")
        expect_words(stderr, "403")
        if status <= 0 or stdout:
            raise AssertionError(f"got exit code {status} and stdout {stdout!r}")

    check(peer, "lines are echoed", echoed)
    check(peer, "no input: a clean close", no_input)
    check(peer, "a line of 70,000 bytes", long_line)
    check(peer, "binary is shown as hex", binary)
    check(peer, "a close by the server is reported, exit code 0", closed_by_server)
    check(peer, "a lost connection is reported, exit code not 0", cut)
    check(peer, "a rejected handshake is reported, exit code not 0", refused)


if __name__ == "__main__":
    for peer in ["ws", "websockets"]:
        with serving(SERVERS[peer]) as url:
            all_cases(f"cat/{peer}", url)
