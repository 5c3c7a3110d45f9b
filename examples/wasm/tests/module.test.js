// The exports of the module, called by hand: what is a mistake is an error and not a trap, and the handles and the memory keep their rules.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { load } from "../js/index.js";
import { Instance } from "../js/instance.js";
import { HEAD, closeFrame, frame, frames } from "./client.js";
import { FILE, random, withMaxMemory } from "./tools.js";

const module = await load();
const WAIT_READABLE = 9;
const STALE = -1;

function instantiate(from = module) {
  const calls = new WebAssembly.Instance(from).exports;
  return { calls, ...memory(calls) };
}

function memory(calls) {
  const result = (index) => new DataView(calls.memory.buffer).getUint32(calls.ws_result() + 4 * index, true);
  return {
    lent: () => Buffer.from(Buffer.from(calls.memory.buffer, result(1), result(2))),
    result,
    put(data) {
      const bytes = Buffer.from(data);
      const start = calls.ws_argument(bytes.length);
      assert.notEqual(start, 0);
      Buffer.from(calls.memory.buffer).set(bytes, start);
      return bytes.length;
    },
  };
}

/** Writes everything that an endpoint has to write, and reads what `input` has. Returns the output, the events and the last step. */
function drive({ calls, lent, result }, handle, input = Buffer.alloc(0), now = 0) {
  const written = [];
  const events = [];
  assert.equal(calls.ws_ready(handle), 0);
  for (;;) {
    const step = calls.ws_step(handle, now);
    switch (step) {
      case 1: {
        const kind = calls.ws_next_event(handle);
        if (kind > 0) events.push([kind, lent().toString()]);
        break;
      }
      case 2:
        assert.equal(calls.ws_output(handle), 0);
        written.push(lent());
        assert.equal(calls.ws_written(handle, result(2)), 0);
        break;
      case 3:
        assert.equal(calls.ws_flushed(handle), 0);
        break;
      case 4: {
        assert.equal(calls.ws_read_space(handle), 0);
        const size = Math.min(input.length, result(2));
        assert.notEqual(result(2), 0);
        if (size === 0) {
          assert.equal(calls.ws_read_blocked(handle), 0);
          break;
        }
        Buffer.from(calls.memory.buffer).set(input.subarray(0, size), result(1));
        assert.equal(calls.ws_received(handle, size), 0);
        input = input.subarray(size);
        break;
      }
      case 5:
        assert.equal(calls.ws_shut_down(handle), 0);
        break;
      default:
        return { written: Buffer.concat(written), events, step };
    }
  }
}

/** A list of byte strings, each shorter than 256 bytes. */
function parts(...list) {
  return Buffer.concat(list.flatMap((part) => [Buffer.from([part.length, 0, 0, 0]), Buffer.from(part)]));
}

function opened(instance) {
  const { calls } = instance;
  const handle = calls.ws_open(0);
  assert.equal(drive(instance, handle, HEAD).step, 0);
  assert.equal(calls.ws_accept(handle, instance.put([0, 0, 0, 0])), 0);
  const { written, step } = drive(instance, handle);
  assert.match(written.toString(), /^HTTP\/1\.1 101 /);
  assert.equal(step, WAIT_READABLE);
  return handle;
}

test("the module imports nothing", () => {
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  assert.equal(instantiate().calls.ws_version(), 1);
});

test("a conversation", () => {
  const instance = instantiate();
  const { calls } = instance;
  const handle = opened(instance);
  const { events } = drive(instance, handle, Buffer.concat([frame(1, "hello"), frame(2, "bytes"), frame(9, "ping")]));
  assert.deepEqual(events, [[1, "hello"], [2, "bytes"], [3, "ping"]]);
  assert.equal(calls.ws_send_text(handle, instance.put("reply")), 0);
  const ended = drive(instance, handle, closeFrame(1000));
  const [list] = frames(ended.written);
  assert.deepEqual(list.map(([opcode, payload]) => [opcode, payload.toString("latin1")]), [[1, "reply"], [8, "\x03\xe8"]]);
  assert.equal(calls.ws_end(handle), -18, "the peer may still read");
  assert.equal(calls.ws_read_space(handle), 0);
  assert.equal(calls.ws_received(handle, 0), 0, "the end of the stream");
  assert.equal(drive(instance, handle).step, 6);
  assert.equal(calls.ws_end(handle), 1, "clean");
  assert.ok(instance.lent().includes("closed by the peer, clean, sent 1000, received 1000"));
  assert.equal(calls.ws_free(handle), 0);
  assert.equal(calls.ws_count(), 0);
});

test("handles that were freed never match, and any number is allowed", () => {
  const { calls } = instantiate();
  const live = new Set();
  const freed = new Set();
  const next = random(1);
  for (let i = 0; i < 3000; i++) {
    if (next(2) === 0 || live.size === 0) {
      const handle = calls.ws_open(0);
      assert.ok(handle > 0 && !freed.has(handle) && !live.has(handle));
      live.add(handle);
    } else {
      const handle = [...live][next(live.size)];
      assert.equal(calls.ws_free(handle), 0);
      live.delete(handle);
      freed.add(handle);
    }
    assert.equal(calls.ws_count(), live.size);
  }
  for (const handle of freed) {
    assert.equal(calls.ws_step(handle, 0), STALE);
    assert.equal(calls.ws_free(handle), STALE);
  }
  const some = [...live][0];
  for (const handle of [0, -0, -1, NaN, Infinity, -Infinity, 1, 0.5, some + 0.5, -some, 2 ** 53, 1e300, undefined, "x"]) {
    assert.equal(calls.ws_step(handle, 0), STALE, String(handle));
    assert.equal(calls.ws_deadline(handle), STALE);
    assert.equal(calls.ws_free(handle), STALE);
  }
  for (const handle of live) assert.equal(calls.ws_free(handle), 0);
});

test("sizes that are too large are refused", () => {
  const instance = instantiate();
  const { calls, result } = instance;
  const handle = opened(instance);
  assert.equal(calls.ws_received(handle, 0), 0);
  const other = opened(instance);
  assert.equal(calls.ws_received(other, 1), -5, "no space is lent");
  assert.equal(calls.ws_read_space(other), 0);
  const space = result(2);
  for (const size of [space + 1, 2 ** 31, -1]) assert.equal(calls.ws_received(other, size), -5);
  assert.equal(calls.ws_send_binary(other, instance.put("x")), 0);
  assert.equal(calls.ws_received(other, 0), 0, "a send leaves the space as it is");
  const third = opened(instance);
  for (const call of [
    "ws_ready", "ws_read_blocked", "ws_next_event", "ws_flushed", "ws_step", "ws_accept", "ws_respond", "ws_read_failed", "ws_abort",
  ]) {
    calls.ws_read_space(third);
    calls[call](third, 0, 0);
    assert.equal(calls.ws_received(third, 1), -5, call);
  }
  const fourth = opened(instance);
  calls.ws_send_text(fourth, instance.put("four"));
  calls.ws_output(fourth);
  assert.equal(result(2), 6);
  for (const size of [7, 2 ** 31, -1]) assert.equal(calls.ws_written(fourth, size), -5);
  assert.equal(calls.ws_written(fourth, 6), 0);
  for (const send of ["ws_send_text", "ws_send_binary", "ws_send_ping"]) {
    assert.equal(calls[send](fourth, 2 ** 24), -3, "more than the argument");
    assert.equal(calls[send](fourth, -1), -3);
  }
  assert.equal(calls.ws_argument(-1), 0, "no memory has 2^32 - 1 bytes");
  assert.equal(instance.put("still there"), 11);
});

test("what may not be sent is refused, and the connection is as before", () => {
  const instance = instantiate();
  const { calls, put } = instance;
  const handle = opened(instance);
  assert.equal(calls.ws_send_text(handle, put([0xc0, 0x80])), -8);
  assert.equal(calls.ws_send_ping(handle, put(Buffer.alloc(126))), -9);
  assert.equal(calls.ws_send_pong(handle, put(Buffer.alloc(126))), -9);
  assert.equal(calls.ws_close(handle, 1005, put("")), -11);
  assert.equal(calls.ws_close(handle, 65536, put("")), -11);
  assert.equal(calls.ws_close(handle, 1000, put("x".repeat(124))), -12);
  assert.equal(calls.ws_close(handle, 0, put("x")), -13);
  assert.equal(calls.ws_send_fragment(handle, 2, 0, put("x")), -3);
  assert.equal(calls.ws_send_fragment(handle, 1, 0, put("begun")), 0);
  assert.equal(calls.ws_send_text(handle, put("x")), -10);
  assert.equal(calls.ws_send_fragment(handle, 1, 1, put(" and ended")), 0);
  assert.equal(calls.ws_respond(handle, 200, put([0, 0, 0, 0])), -14);
  assert.equal(calls.ws_accept(handle, put([0, 0, 0, 0])), -14);
  assert.equal(calls.ws_end(handle), -18);
  assert.equal(calls.ws_close(handle, 1000, put("")), 0);
  assert.equal(calls.ws_send_text(handle, put("x")), -6);
  const [list] = frames(drive(instance, handle).written);
  assert.deepEqual(list.map(([opcode]) => opcode), [1, 0, 8]);
});

test("answers that are malformed are refused, and the request still waits", () => {
  const instance = instantiate();
  const { calls, put } = instance;
  const handle = calls.ws_open(0);
  assert.equal(calls.ws_accept(handle, put(parts(""))), -14, "no request yet");
  assert.equal(drive(instance, handle, HEAD).step, 0);
  const truncated = [[], [1], [5, 0, 0, 0, 1], [255, 255, 255, 255], [...parts(""), 1]].map((bytes) => Buffer.from(bytes));
  for (const list of [...truncated, parts("", "name")]) {
    assert.equal(calls.ws_accept(handle, put(list)), -3);
    assert.equal(calls.ws_respond(handle, 200, put(list)), -3);
  }
  assert.equal(calls.ws_accept(handle, put(parts("not-offered"))), -16);
  assert.equal(calls.ws_accept(handle, put(parts("", "Name", "a\r\nInjected: b"))), -16);
  assert.equal(calls.ws_accept(handle, put(parts("", "Upgrade", "x"))), -16);
  assert.equal(calls.ws_accept(handle, put(parts("", [0xff], "x"))), -16);
  assert.equal(calls.ws_respond(handle, 101, put(parts(""))), -17);
  assert.equal(calls.ws_respond(handle, 65536 + 200, put(parts(""))), -17);
  assert.equal(calls.ws_request(handle), 0);
  assert.equal(calls.ws_accept(handle, put(parts("", "Name", "value"))), 0);
  assert.match(drive(instance, handle).written.toString(), /^HTTP\/1\.1 101 [^]*\r\nName: value\r\n/);
});

test("a Close is checked without a connection as it is on one", () => {
  const instance = instantiate();
  const { calls, put } = instance;
  const reasons = ["", "x", "x".repeat(123), "x".repeat(124), [0xff]];
  for (const code of [0, 1, 999, 1000, 1005, 1006, 1010, 1015, 2999, 3000, 4999, 5000, 65536, 65536 + 1000, -1]) {
    for (const reason of reasons) {
      const checked = calls.ws_check_close(code, put(reason));
      const handle = opened(instance);
      assert.equal(checked, calls.ws_close(handle, code, put(reason)), `${code} ${reason}`);
      calls.ws_free(handle);
    }
  }
  assert.equal(calls.ws_check_close(1005, 0), -11);
  assert.equal(calls.ws_check_close(1000, 2 ** 24), -3);
});

test("settings that are out of range are refused", () => {
  const { calls } = instantiate();
  const valid = [1024, 1024, 1024, 1, 1, 1, 1, 1, 1, 0];
  assert.equal(calls.ws_configure(...valid), 0);
  for (let i = 0; i < 9; i++) {
    for (const value of [NaN, -1, i < 3 ? 0 : -Infinity, i < 3 ? 2 ** 31 : -0.5]) {
      assert.equal(calls.ws_configure(...valid.with(i, value)), -3, `${i}: ${value}`);
    }
  }
  assert.equal(calls.ws_configure(...valid.with(9, 2)), -3);
  assert.equal(calls.ws_configure(...valid.fill(Infinity, 3, 9)), 0);
  assert.equal(calls.ws_open(NaN), -3);
});

test("no call traps, whatever its arguments", () => {
  const instance = instantiate();
  const { calls } = instance;
  // Sorted, because their order differs between builds.
  const names = Object.keys(calls).filter((name) => name.startsWith("ws_")).sort();
  const next = random(2);
  const handles = Array.from({ length: 8 }, () => calls.ws_open(0));
  const numbers = [0, 1, 2, 5, 125, 126, 1000, 1005, 65535, 65536, -1, 2 ** 31, NaN, Infinity, 0.5, -1e300];
  const codes = new Set();
  // Bytes, ASCII, parts, and parts that are fields.
  const argument = () =>
    [
      () => Buffer.from(Array.from({ length: next(300) }, () => next(256))),
      () => Buffer.alloc(next(300), "ascii"),
      () => parts(...Array.from({ length: next(4) }, () => "x".repeat(next(9)))),
      () => parts("", "Name", ["value", "a\r\nb"][next(2)]),
    ][next(4)]();
  for (let i = 0; i < 100_000; i++) {
    const name = names[next(names.length)];
    const rest = Array.from({ length: 10 }, () => numbers[next(numbers.length)]);
    const slot = next(handles.length);
    switch (name) {
      case "ws_open":
        calls.ws_free(handles[slot]);
        handles[slot] = calls.ws_open(next(1000));
        break;
      case "ws_argument":
        instance.put(argument());
        break;
      case "ws_configure":
        codes.add(calls.ws_configure(...rest));
        break;
      default:
        codes.add(calls[name](handles[slot], ...rest));
    }
    // Sometimes there is something to read, from the opening handshake on.
    if (next(20) === 0 && calls.ws_read_space(handles[slot]) === 0) {
      const input = [HEAD, frame(1, "text"), frame(9), closeFrame(1000), Buffer.from([next(256), next(256)])][next(5)];
      const size = Math.min(input.length, instance.result(2));
      Buffer.from(calls.memory.buffer).set(input.subarray(0, size), instance.result(1));
      calls.ws_received(handles[slot], size);
      if (calls.ws_step(handles[slot], 0) === 0) calls.ws_accept(handles[slot], instance.put([0, 0, 0, 0]));
    }
  }
  const errors = [...codes].filter((code) => code < 0).sort((a, b) => b - a);
  for (const code of [-1, -3, -5, -6, -7, -8, -9, -11, -14, -18]) assert.ok(errors.includes(code), `not seen: ${code} of ${errors}`);
  assert.ok(!codes.has(-2), "poisoned");
  for (const handle of handles) calls.ws_free(handle);
  assert.equal(calls.ws_count(), 0);
  calls.ws_configure(1024, 16384, 1024, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 0);
  opened(instance);
});

test("an idle connection holds no buffers", () => {
  const instance = instantiate();
  const talk = () => {
    const handle = opened(instance);
    assert.deepEqual(drive(instance, handle, frame(2, Buffer.alloc(10_000))).events.length, 1);
    instance.calls.ws_send_binary(handle, instance.put(Buffer.alloc(10_000)));
    drive(instance, handle);
  };
  for (let i = 0; i < 100; i++) talk();
  const before = instance.calls.memory.buffer.byteLength;
  for (let i = 0; i < 4000; i++) talk();
  const each = (instance.calls.memory.buffer.byteLength - before) / 4000;
  assert.ok(each > 0 && each < 600, `${each} bytes`);
});

test("after a trap, every call is refused", async () => {
  const small = await WebAssembly.compile(withMaxMemory(await readFile(FILE), 1024 * 1024));
  const instance = instantiate(small);
  const { calls } = instance;
  calls.ws_configure(2 ** 30, 16384, 2 ** 30, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 0);
  const handle = opened(instance);
  assert.throws(() => {
    for (;;) assert.equal(calls.ws_send_binary(handle, instance.put(Buffer.alloc(60_000))), 0);
  }, WebAssembly.RuntimeError);
  for (const call of ["ws_step", "ws_free", "ws_open", "ws_send_text", "ws_count", "ws_output", "ws_received", "ws_end"]) {
    assert.equal(calls[call](handle, 0, 0, 0), -2, call);
  }
  assert.equal(calls.ws_argument(1), 0);
});

test("after a trap, a send reports it", async () => {
  const instance = new Instance(await WebAssembly.compile(withMaxMemory(await readFile(FILE), 1024 * 1024)));
  instance.configure([2 ** 30, 16384, 2 ** 30, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 0]);
  const handle = instance.open(0);
  assert.throws(() => instance.sendBinary(handle, Buffer.alloc(16 * 1024 * 1024)), { code: "NO_MEMORY" });
  assert.throws(() => {
    for (;;) instance.open(0);
  }, WebAssembly.RuntimeError);
  assert.throws(() => instance.sendBinary(handle, Buffer.alloc(1)), { code: "POISONED" });
});
