// The server for node: answers, backpressure in both directions, deadlines, other kinds of streams, and that a failure stays where it is.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

import { WebSocketError, WebSocketServer, load, serve } from "../js/index.js";
import { Instance } from "../js/instance.js";
import { HEAD, RawClient, closeFrame, frame, frames } from "./client.js";
import { FILE, random, withMaxMemory } from "./tools.js";

const WebSocket = createRequire(import.meta.url)("ws");
const module = await load();
const PATIENCE = { timeout: 60_000 };
const MIB = 1024 * 1024;

/** Starts a server that ends with the test. What its handlers throw is in `errors`, how its connections ended in `ends`. */
async function start(t, options = {}) {
  const [errors, ends] = [[], []];
  const server = await serve({
    host: "127.0.0.1",
    module,
    message: (connection, data) => void connection.send(data),
    error: (error) => errors.push(error),
    close: (_, end) => ends.push(end),
    ...options,
  });
  t.after(() => {
    for (const connection of server.webSockets.connections) connection.abort();
    return server.close();
  });
  return { ...server, errors, ends, port: server.address.port };
}

/** Opens a connection with `ws`. */
async function open({ port }, protocols = [], options = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/path?query`, protocols, { perMessageDeflate: false, maxPayload: 0, ...options });
  await once(socket, "open");
  return socket;
}

async function echoed(socket, message) {
  const reply = once(socket, "message");
  socket.send(message);
  const [data, isBinary] = await reply;
  assert.equal(isBinary, typeof message !== "string");
  assert.ok(Buffer.from(message).equals(data));
}

/** Waits until a condition is true. */
async function until(condition) {
  for (let i = 0; i < 2000; i++) {
    if (condition()) return;
    await sleep(10);
  }
  assert.fail(`never: ${condition}`);
}

// The opening handshake.

test("a request is seen and answered with a subprotocol and headers", PATIENCE, async (t) => {
  let seen;
  const server = await start(t, {
    request: (request, connection) => {
      seen = { ...request, address: connection.stream.remoteAddress };
      return { subprotocol: "b", headers: [["X-Reply", "caf\xe9"], ["X-Reply", "2"]] };
    },
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/path?query`, ["a", "b"], { headers: { "X-Asked": "1" } });
  const [[response]] = await Promise.all([once(socket, "upgrade"), once(socket, "open")]);
  assert.equal(socket.protocol, "b");
  assert.equal(response.headers["x-reply"], "caf\xe9, 2");
  assert.deepEqual([seen.method, seen.url, seen.subprotocols], ["GET", "/path?query", ["a", "b"]]);
  assert.deepEqual([seen.isWebSocket, seen.isSameOrigin, seen.address], [true, false, "127.0.0.1"]);
  assert.ok(seen.headers.some(([name, value]) => name === "X-Asked" && value === "1"));
  assert.equal([...server.webSockets.connections][0].subprotocol, "b");
  socket.close();
});

test("the origin is compared", PATIENCE, async (t) => {
  const server = await start(t, { request: ({ isSameOrigin }) => (isSameOrigin ? undefined : { status: 403 }) });
  const own = await open(server, [], { origin: `http://127.0.0.1:${server.port}` });
  own.close();
  await assert.rejects(open(server, [], { origin: "http://127.0.0.2" }), /403/);
});

test("other requests are answered", PATIENCE, async (t) => {
  const server = await start(t, {
    request: async ({ isWebSocket }) => {
      await sleep(5);
      return isWebSocket ? {} : { status: 200, headers: { "Content-Type": "text/plain; charset=utf-8" }, body: "pagé" };
    },
  });
  const response = await fetch(`http://127.0.0.1:${server.port}/page`);
  assert.deepEqual([response.status, await response.text()], [200, "pagé"]);
  await echoed(await open(server), "open");
  await until(() => server.ends.length === 1);
  assert.deepEqual([server.ends[0].status, server.ends[0].code], [200, null]);
  const plain = await start(t);
  assert.equal((await fetch(`http://127.0.0.1:${plain.port}/`)).status, 426);
});

test("an answer that fails is a 500, and the error is reported", PATIENCE, async (t) => {
  const failures = [
    () => {
      throw new Error("thrown");
    },
    async () => {
      throw new Error("rejected");
    },
    () => ({ subprotocol: "not offered" }),
    () => ({ headers: { Name: "a\r\nInjected: b" } }),
    () => ({ headers: { Name: "\u0141" } }), // not ISO-8859-1, and an A without its upper byte
    () => ({ status: 101 }),
    () => false,
    () => 403,
    () => "no",
    () => null,
    () => ({ status: null }),
    async () => false,
    async () => ({
      get status() {
        throw new Error("getter");
      },
    }),
  ];
  let next = 0;
  const server = await start(t, { request: () => failures[next++]?.() });
  for (const _ of failures) await assert.rejects(open(server), /500/);
  const mistake = "an answer is an object or undefined";
  const mistakes = [...Array(4).fill(mistake), "INVALID_STATUS", mistake, "getter"];
  const codes = server.errors.map((error) => error.code ?? error.message);
  assert.deepEqual(codes, ["thrown", "rejected", "INVALID_FIELD", "INVALID_FIELD", "INVALID_FIELD", "INVALID_STATUS", ...mistakes]);
  await echoed(await open(server), "then it opens");
});

test("an answer that takes too long is a 503", PATIENCE, async (t) => {
  const late = [() => ({}), () => ({ status: 200 }), () => Promise.reject(new Error("late"))];
  let next = 0;
  const server = await start(t, { openTimeout: 100, lingerTimeout: 1000, request: () => sleep(300).then(late[next++]) });
  for (const _ of late) {
    const client = await RawClient.connect(server.port);
    client.socket.write(HEAD);
    await until(() => client.isEnded);
    assert.match(String(client.received), /^HTTP\/1\.1 503 /);
    await sleep(300); // the answer comes while the server waits for the end of the stream
    client.socket.end();
  }
  await until(() => server.ends.length === 3);
  assert.deepEqual(server.ends.map(({ timeout }) => timeout), Array(3).fill("opening"));
  assert.deepEqual(server.errors.map(({ message }) => message), ["late"]);
});

test("requests that node has parsed are upgraded", PATIENCE, async (t) => {
  const webSockets = new WebSocketServer(module, { message: (connection, data) => void connection.send(data) });
  const http = createServer((_, response) => response.end("page")).on("upgrade", (...upgrade) => webSockets.upgrade(...upgrade));
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  t.after(() => http.close());
  const { port } = http.address();
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "page");
  const socket = await open({ port });
  await echoed(socket, "echo");
  socket.close(1000);
  const [code] = await once(socket, "close");
  assert.equal(code, 1000);
  // The first frame arrives with the request.
  const client = await RawClient.connect(port);
  client.socket.write(Buffer.concat([HEAD, frame(1, "early"), closeFrame(1000)]));
  const all = (await client.rest()).toString("latin1");
  assert.match(all, /^HTTP\/1\.1 101 [^]*\r\n\r\n\x81\x05early\x88\x02\x03\xe8$/);
});

// Messages and their limits.

test("what a client does wrong is answered with its code", PATIENCE, async (t) => {
  const server = await start(t, { maxMessageSize: 1000 });
  const cases = [
    [1002, frame(1, "unmasked", { masked: false })],
    [1002, frame(3, "reserved")],
    [1002, frame(0, "nothing to continue")],
    [1002, frame(9, Buffer.alloc(126))],
    [1002, closeFrame(1005)],
    [1007, frame(1, [0xff])],
    [1007, frame(8, [3, 0xe8, 0xff])],
    [1009, frame(2, Buffer.alloc(1001))],
    [1009, Buffer.concat([frame(2, Buffer.alloc(600), { fin: false }), frame(0, Buffer.alloc(600))])],
    [1000, closeFrame(1000)],
    [4999, closeFrame(4999)],
    [1005, frame(8)],
  ];
  for (const [code, bytes] of cases) {
    const client = await RawClient.open(server.port);
    client.socket.write(bytes);
    assert.equal(await client.closeCode(), code);
  }
  await until(() => server.ends.length === cases.length);
  const clean = server.ends.map(({ isClean, closedBy }) => `${closedBy} ${isClean}`);
  assert.deepEqual(clean, [...Array(9).fill("failure false"), ...Array(3).fill("peer true")]);
  assert.match(server.ends[7].text, /1009/);
  assert.deepEqual(server.errors, []);
});

test("text is exact, and lone surrogates become U+FFFD", PATIENCE, async (t) => {
  const texts = ["", "x", "Zażółć gęślą jaźń, 日本語, 🦀".repeat(100), "\0\u{10ffff}\ufeff", "é".repeat(1023), "é".repeat(1024), "日".repeat(40_000)];
  const server = await start(t);
  const socket = await open(server);
  for (const text of texts) await echoed(socket, text);
  for (const connection of server.webSockets.connections) connection.send(`a${"\ud800"}b`);
  const [data] = await once(socket, "message");
  assert.equal(data.toString(), "a\ufffdb");
});

test("binary messages of every kind are copied", PATIENCE, async (t) => {
  const server = await start(t);
  const socket = await open(server);
  const [connection] = server.webSockets.connections;
  const bytes = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
  const received = [];
  socket.on("message", (data, isBinary) => received.push([isBinary, [...data]]));
  for (const data of [bytes, bytes.buffer, new DataView(bytes.buffer, 2, 3), new Uint16Array(bytes.buffer, 2, 1), Buffer.from(bytes)]) connection.send(data);
  connection.sendFragment(bytes, false);
  connection.sendFragment(new Uint8Array(0), true);
  bytes.fill(0);
  for (const data of [1, null, undefined, {}, [1]]) assert.throws(() => connection.send(data), TypeError);
  await until(() => received.length === 6);
  const all = [1, 2, 3, 4, 5, 6, 7, 8];
  assert.deepEqual(received, [all, all, [3, 4, 5], [3, 4], all, all].map((data) => [true, data]));
});

test("a conversation in any pieces is the same", PATIENCE, async (t) => {
  const server = await start(t);
  const input = Buffer.concat([
    HEAD, frame(1, "text"), frame(2, Buffer.alloc(300, 7), { fin: false }), frame(9, "ping"), frame(0, Buffer.alloc(70, 8)), closeFrame(1000),
  ]);
  const talk = async (sizes) => {
    const client = await RawClient.connect(server.port);
    client.socket.setNoDelay(true);
    for (let at = 0, i = 0; at < input.length; i++) {
      client.socket.write(input.subarray(at, (at += sizes(i))));
      await sleep(0);
    }
    return (await client.rest()).toString("latin1");
  };
  const expected = await talk(() => input.length);
  assert.match(expected, /\x88\x02\x03\xe8$/);
  const next = random(3);
  assert.equal(await talk(() => 1), expected);
  for (let i = 0; i < 10; i++) assert.equal(await talk(() => 1 + next(60)), expected);
});

// Backpressure.

test("a client that does not read is not read", PATIENCE, async (t) => {
  const server = await start(t, { writeTimeout: Infinity });
  const before = server.webSockets.memorySize;
  const client = await RawClient.open(server.port);
  client.socket.pause();
  const [connection] = server.webSockets.connections;
  const payload = Buffer.alloc(50_000, 1);
  const message = frame(2, payload);
  let sent = 0;
  const send = () => {
    while (sent++ < 1000) if (!client.socket.write(message)) return;
  };
  client.socket.on("drain", send);
  send();
  let [last, most] = [-1, 0];
  while (last !== sent) {
    last = sent;
    await sleep(300);
    most = Math.max(most, connection.bufferedAmount);
  }
  assert.ok(sent < 600, `the server has stopped reading: ${sent}`);
  assert.ok(most >= MIB && most <= MIB + 2 * 50_010 + 256 * 1024, `bounded: ${most}`);
  assert.ok(server.webSockets.memorySize - before < 8 * MIB, `memory: ${server.webSockets.memorySize - before}`);
  let received = 0;
  client.socket.removeAllListeners("data");
  client.socket.on("data", (chunk) => (received += chunk.length)).resume();
  await until(() => sent > 1000 && received === 1000 * 50_004);
  assert.deepEqual(server.errors, []);
});

test("while a handler waits, nothing is delivered or read, and then everything is, in order", PATIENCE, async (t) => {
  const delivered = [];
  let [running, release] = [0, null];
  const gate = new Promise((resolve) => (release = resolve));
  const server = await start(t, {
    message: async (connection, data) => {
      assert.equal(++running, 1, "one at a time");
      delivered.push(data.readUInt32BE(0));
      await gate;
      running--;
    },
  });
  const other = await open(server);
  const client = await RawClient.open(server.port);
  const before = server.webSockets.memorySize;
  let sent = 0;
  const send = () => {
    while (sent < 400) {
      const payload = Buffer.alloc(100_000);
      payload.writeUInt32BE(sent++);
      if (!client.socket.write(frame(2, payload))) return;
    }
  };
  client.socket.on("drain", send);
  send();
  await sleep(500);
  assert.ok(sent < 300, `the server does not read: ${sent}`);
  assert.deepEqual(delivered, [0]);
  assert.ok(server.webSockets.memorySize - before < 4 * MIB);
  other.ping();
  await once(other, "pong");
  release();
  await until(() => delivered.length === 400);
  assert.deepEqual(delivered, Array.from({ length: 400 }, (_, i) => i));
});

test("a program that waits for `drained` sends any amount in bounded memory", PATIENCE, async (t) => {
  const count = 600;
  let most = 0;
  const server = await start(t, {
    open: async (connection) => {
      for (let i = 0; i < count; i++) {
        if (!connection.send(Buffer.alloc(100_000, i))) await connection.drained();
        most = Math.max(most, connection.bufferedAmount);
      }
      connection.close();
    },
  });
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`); // whose first messages may come with the response
  let received = 0;
  socket.on("message", (data) => {
    assert.ok(data.equals(Buffer.alloc(100_000, received++)));
    if (received % 100 !== 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), 20);
  });
  await once(socket, "close");
  assert.equal(received, count);
  assert.ok(most < 2 * MIB, `bounded: ${most}`);
  assert.ok(server.webSockets.memorySize < 12 * MIB, `memory: ${server.webSockets.memorySize}`);
});

test("a program that does not wait is stopped by an error, and nothing else is lost", PATIENCE, async (t) => {
  const server = await start(t);
  const socket = await open(server);
  const [connection] = server.webSockets.connections;
  let sent = 0;
  assert.throws(() => {
    for (;;) {
      connection.send(`${sent}`.padEnd(1000));
      sent++;
    }
  }, { name: "WebSocketError", code: "FULL" });
  assert.ok(sent > 1000 && sent < 1100, `${sent}`);
  let received = 0;
  socket.on("message", (data) => assert.equal(Number(data), received++));
  await connection.drained();
  assert.equal(connection.send(`${sent++}`), true);
  await until(() => received === sent);
});

test("Pongs fill the output too", PATIENCE, async () => {
  const [delivered, errors] = [[], []];
  const server = new WebSocketServer(module, {
    maxBuffered: 1000,
    message: (connection, data) => void (delivered.push(data), connection.send(data)),
    error: (error) => errors.push(error),
  });
  const [mine, theirs] = pair();
  const connection = server.accept(theirs);
  mine.resume().write(HEAD);
  await until(() => connection.isOpen);
  const release = hold(theirs);
  assert.equal(connection.send("written"), true);
  await sleep(0); // the stream has it, and accepts no more
  assert.equal(connection.send(Buffer.alloc(990)), true);
  mine.write(Buffer.concat([frame(9, Buffer.alloc(125)), frame(1, "text")]));
  let isDrained = false;
  await sleep(20);
  const drained = connection.drained().then(() => (isDrained = true));
  await sleep(20);
  assert.deepEqual([isDrained, delivered], [false, []]);
  assert.throws(() => connection.send(""), { code: "FULL" });
  release();
  await drained;
  connection.send(""); // is not refused
  await until(() => delivered.length === 1);
  assert.deepEqual(errors, []);
  connection.abort();
});

// The end.

test("calls after the end are errors or do nothing", PATIENCE, async (t) => {
  const server = await start(t);
  const socket = await open(server);
  const [connection] = server.webSockets.connections;
  socket.close(4000, "reason");
  const end = await connection.ended;
  assert.deepEqual({ ...end, text: "" }, {
    code: 4000, reason: "reason", codeSent: 4000, codeUnsent: null, codeReceived: 4000, isClean: true, closedBy: "peer", timeout: null,
    status: null, text: "",
  });
  for (const call of [() => connection.send("x"), () => connection.ping(), () => connection.close(), () => connection.sendFragment("x", true)]) {
    assert.throws(call, (error) => error instanceof WebSocketError && error.code === "NOT_OPEN");
  }
  assert.deepEqual([connection.isOpen, connection.bufferedAmount], [false, 0]);
  await connection.drained();
  connection.abort();
  assert.equal(connection.stream.destroyed, true);
  assert.equal(server.webSockets.connections.size, 0);
});

test("a server closes with a code, also while a handler waits for the end", PATIENCE, async (t) => {
  const ends = [];
  const server = await start(t, {
    message: async (connection, data) => {
      connection.close(4001, String(data));
      ends.push(await connection.ended);
    },
  });
  const socket = await open(server);
  socket.send("bye");
  const [code, reason] = await once(socket, "close");
  assert.deepEqual([code, String(reason)], [4001, "bye"]);
  await until(() => ends.length === 1);
  assert.deepEqual([ends[0].isClean, ends[0].closedBy], [true, "local"]);
  const [other] = [await open(server)];
  const [connection] = server.webSockets.connections;
  for (const [call, code] of [
    [() => connection.close(1005), "INVALID_CLOSE_CODE"],
    [() => connection.close(70_000), "INVALID_CLOSE_CODE"],
    [() => connection.close(1000, "x".repeat(124)), "REASON_TOO_LONG"],
    [() => connection.ping(Buffer.alloc(126)), "CONTROL_TOO_LONG"],
  ]) {
    assert.throws(call, { code });
  }
  assert.throws(() => connection.close("1000"), TypeError);
  assert.throws(() => connection.close(NaN), TypeError);
  const closed = once(other, "close");
  await server.close();
  assert.equal((await closed)[0], 1001);
});

test("a server that closes opens no connection whose request it has not answered, and waits for no silent client", PATIENCE, async (t) => {
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  const server = await start(t, { request: () => gate });
  const refused = assert.rejects(open(server), /503/);
  const silent = await RawClient.connect(server.port);
  await until(() => [...server.webSockets.connections].filter(({ request }) => request !== null).length === 1);
  const closed = server.close();
  release();
  await refused;
  await closed;
  assert.equal(server.ends.length, 2);
  assert.equal((await silent.rest()).length, 0);
});

test("a server refuses to close with what must not be sent, and changes nothing", PATIENCE, async (t) => {
  const server = await start(t);
  const socket = await open(server);
  for (const close of [server.close, (...how) => server.webSockets.close(...how)]) {
    await assert.rejects(close(1005), { code: "INVALID_CLOSE_CODE" });
    await assert.rejects(close(1000, "x".repeat(124)), { code: "REASON_TOO_LONG" });
    await assert.rejects(close("1000"), TypeError);
  }
  await echoed(socket, "still there");
  const other = await open(server);
  // A connection that cannot be closed is aborted.
  const [connection] = server.webSockets.connections;
  connection.close = () => {
    throw new Error("cannot");
  };
  const codes = Promise.all([socket, other].map((socket) => once(socket, "close")));
  await server.close(4000, "bye");
  assert.deepEqual((await codes).map(([code]) => code), [1006, 4000]);
  assert.deepEqual(server.errors.map(({ message }) => message), ["cannot"]);
});

test("streams that come after the server was closed are destroyed", PATIENCE, async (t) => {
  const server = await start(t);
  await server.webSockets.close();
  const client = await RawClient.connect(server.port);
  client.socket.write(HEAD);
  assert.equal((await client.rest()).length, 0);
});

test("a stream that fails while a handler waits", PATIENCE, async (t) => {
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  const delivered = [];
  const server = await start(t, {
    pingInterval: 20,
    message: async (_, data) => {
      delivered.push(data);
      await gate;
    },
  });
  const client = await RawClient.open(server.port);
  const [connection] = server.webSockets.connections;
  client.socket.write(Buffer.concat([frame(1, "first"), frame(1, "second")]));
  await until(() => delivered.length === 1);
  connection.stream.destroy();
  await until(() => !connection.isOpen);
  assert.equal(connection.deadline, Infinity, "the server does not look at it again and again");
  release();
  assert.equal((await connection.ended).code, 1006);
  assert.deepEqual(delivered, ["first", "second"]);
});

test("what was read before a stream fails is delivered", PATIENCE, async () => {
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  const delivered = [];
  const server = new WebSocketServer(module, {
    message: async (_, data) => {
      delivered.push(data);
      await gate;
    },
  });
  const [mine, theirs] = pair();
  const connection = server.accept(theirs);
  mine.write(HEAD);
  await once(mine, "data");
  // More than the endpoint reads at once.
  const sent = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
  mine.write(Buffer.concat(sent.map((text) => frame(1, text))));
  await until(() => delivered.length === 1);
  theirs.destroy(new Error("cable broke"));
  await until(() => !connection.isOpen);
  release();
  assert.equal((await connection.ended).text, "transport failed: cable broke, not clean");
  assert.deepEqual(delivered, sent);
});

test("the code of a Close that was never written is in the end", PATIENCE, async () => {
  const server = new WebSocketServer(module, {});
  const [mine, theirs] = pair();
  const connection = server.accept(theirs);
  mine.write(HEAD);
  await once(mine, "data");
  connection.close(1013, "too slow");
  connection.abort();
  const end = await connection.ended;
  assert.deepEqual([end.code, end.codeSent, end.codeUnsent, end.text], [1006, null, 1013, "aborted, not clean, 1013 not written"]);
});

test("a server that closes does not wait for a handler whose stream has failed", PATIENCE, async (t) => {
  const server = await start(t, { message: () => new Promise(() => {}) });
  const client = await RawClient.open(server.port);
  const [connection] = server.webSockets.connections;
  client.socket.write(Buffer.concat([frame(1, "first"), frame(1, "second")]));
  await sleep(50);
  connection.stream.destroy();
  await until(() => !connection.isOpen);
  await server.close();
  assert.equal((await connection.ended).code, 1006);
});

test("clients that vanish, and streams that fail, end their connection only", PATIENCE, async (t) => {
  const server = await start(t);
  const other = await open(server);
  for (const leave of [(socket) => socket.destroy(), (socket) => socket.resetAndDestroy(), (socket) => socket.end()]) {
    const before = server.ends.length;
    const client = await RawClient.open(server.port);
    client.socket.write(frame(1, "incomplete").subarray(0, 7));
    leave(client.socket);
    await until(() => server.ends.length === before + 1);
    assert.deepEqual([server.ends[before].code, server.ends[before].isClean], [1006, false]);
    client.socket.destroy();
  }
  // Also while the output is full, or a handler waits until it is not.
  for (const waits of [false, true]) {
    const client = await RawClient.open(server.port);
    client.socket.pause();
    const connection = [...server.webSockets.connections].at(-1);
    while (connection.bufferedAmount < MIB) connection.send(Buffer.alloc(500_000));
    const waiting = waits ? connection.drained() : null;
    client.socket.resetAndDestroy();
    assert.equal((await connection.ended).code, 1006);
    await waiting;
  }
  await echoed(other, "still there");
  assert.deepEqual(server.errors, []);
});

test("deadlines are kept", PATIENCE, async (t) => {
  const server = await start(t, { openTimeout: 150, pingInterval: 150, pingTimeout: 150, closeTimeout: 150, lingerTimeout: 100 });
  const timed = async (act) => {
    const began = performance.now();
    const before = server.ends.length;
    await act();
    await until(() => server.ends.length > before);
    return [server.ends[before].timeout, performance.now() - began];
  };
  const silent = await timed(() => RawClient.connect(server.port));
  const deaf = await timed(() => RawClient.open(server.port)); // does not answer Pings
  const client = await RawClient.open(server.port);
  const impolite = await timed(() => [...server.webSockets.connections].forEach((connection) => connection.close()));
  assert.deepEqual([silent[0], deaf[0], impolite[0]], ["opening", "ping", "closing"]);
  for (const [timeout, took] of [silent, deaf, impolite]) assert.ok(took >= 140 && took < 10_000, `${timeout} after ${took} ms`);
  client.socket.destroy();
  const stuck = await start(t, { writeTimeout: 200 });
  const unread = await RawClient.open(stuck.port);
  unread.socket.pause();
  const [connection] = stuck.webSockets.connections;
  while (connection.isOpen) {
    while (connection.isOpen && connection.send(Buffer.alloc(100_000)));
    await connection.drained(); // resolves at the end too
  }
  assert.equal((await connection.ended).timeout, "write");
  unread.socket.destroy();
});

test("an idle client that answers Pings stays", PATIENCE, async (t) => {
  const server = await start(t, { pingInterval: 50, pingTimeout: 800 });
  const socket = await open(server);
  let pings = 0;
  socket.on("ping", () => pings++);
  await sleep(1500);
  assert.ok(pings >= 3, `${pings}`);
  await echoed(socket, "still there");
});

// Failures stay where they are.

test("a handler that fails closes its connection with 1011, and no other", PATIENCE, async (t) => {
  const seen = [];
  const server = await start(t, {
    message: (connection, data) => {
      seen.push(String(data));
      if (data === "throw") throw new Error("thrown");
      if (data === "reject") return Promise.reject(new Error("rejected"));
      connection.send(data);
    },
  });
  const other = await open(server);
  for (const word of ["throw", "reject"]) {
    const client = await RawClient.open(server.port);
    client.socket.write(Buffer.concat([frame(1, word), frame(1, "not delivered")]));
    await until(() => client.received.length >= 4);
    client.socket.write(closeFrame(1011));
    assert.equal(await client.closeCode(), 1011);
    await echoed(other, "still there");
  }
  assert.deepEqual(seen, ["throw", "still there", "reject", "still there"]);
  assert.deepEqual(server.errors.map(({ message }) => message), ["thrown", "rejected"]);
});

test("what a handler for the end throws or rejects is reported", PATIENCE, async (t) => {
  const fail = (message) => {
    throw new Error(message);
  };
  const close = [() => fail("thrown"), async () => fail("rejected")];
  const server = await start(t, { close: () => close.shift()() });
  for (let i = 0; i < 2; i++) (await RawClient.open(server.port)).socket.destroy();
  await until(() => server.errors.length === 2);
  assert.deepEqual(server.errors.map(({ message }) => message), ["thrown", "rejected"]);
});

test("hostile bytes end their own connections only", PATIENCE, async (t) => {
  const server = await start(t, { lingerTimeout: 50 });
  const next = random(4);
  const other = await open(server);
  const good = Buffer.concat([HEAD, frame(1, "some text"), frame(2, Buffer.alloc(200)), frame(9, "ping"), closeFrame(1000)]);
  const attack = async (number) => {
    const client = await RawClient.connect(server.port);
    const bytes = number % 3 === 0 ? Buffer.from(Array.from({ length: 500 }, () => next(256))) : Buffer.from(good);
    // In the head, or only in the frames.
    const from = number % 3 === 1 ? HEAD.length : 0;
    for (let i = 0; i < 3; i++) bytes[from + next(bytes.length - from)] ^= 1 << next(8);
    client.socket.write(bytes);
    client.socket.end();
    await client.rest();
  };
  for (let i = 0; i < 240; i += 40) {
    await Promise.all(Array.from({ length: 40 }, (_, k) => attack(i + k)));
    await echoed(other, `still there after ${i}`);
  }
  await until(() => server.webSockets.connections.size === 1);
  assert.equal(server.ends.length, 240);
  assert.deepEqual(server.errors, []);
  assert.ok(server.webSockets.memorySize < 4 * MIB);
});

test("a trap ends the connections of its instance, and later ones get a new instance", PATIENCE, async (t) => {
  const small = await WebAssembly.compile(withMaxMemory(await readFile(FILE), 3 * MIB));
  const server = await start(t, { module: small, maxMessageSize: 16 * MIB });
  const another = await start(t, { module: small });
  const bystander = await open(another);
  const lost = await open(server);
  const closed = once(lost, "close");
  const client = await RawClient.open(server.port);
  client.socket.write(frame(2, Buffer.alloc(8 * MIB))); // more than the memory can hold
  await closed;
  assert.equal(server.errors.length, 1);
  assert.ok(server.errors[0] instanceof WebAssembly.RuntimeError);
  assert.equal(server.ends.length, 2);
  for (const end of server.ends) assert.deepEqual([end.code, end.isClean, /^lost: /.test(end.text)], [1006, false, true]);
  assert.equal(server.webSockets.connections.size, 0);
  await echoed(bystander, "another instance");
  await echoed(await open(server), "a new instance");
  client.socket.destroy();
});

test("a trap ends all connections also if no new instance can be created", PATIENCE, async (t) => {
  const small = await WebAssembly.compile(withMaxMemory(await readFile(FILE), 3 * MIB));
  const server = await start(t, { module: small, maxMessageSize: 16 * MIB });
  const sockets = [await open(server), await open(server)];
  const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class {
    constructor() {
      throw new RangeError("no memory for an instance");
    }
  };
  try {
    sockets[0].send(Buffer.alloc(8 * MIB));
    await closed;
    assert.deepEqual([server.webSockets.connections.size, server.webSockets.memorySize, server.ends.length], [0, 0, 2]);
    await assert.rejects(open(server));
  } finally {
    WebAssembly.Instance = Instance;
  }
  assert.deepEqual(server.errors.map(({ name }) => name), ["RuntimeError", "RangeError"]);
  await echoed(await open(server), "a new instance");
});

test("a connection that cannot be freed still ends", PATIENCE, async () => {
  const errors = [];
  const server = new WebSocketServer(module, { error: (error) => errors.push(error.message) });
  const [mine, theirs] = pair();
  const connection = server.accept(theirs);
  mine.resume().write(HEAD);
  await until(() => connection.isOpen);
  theirs.write = () => {
    throw new Error("the stream throws");
  };
  const { free } = Instance.prototype;
  Instance.prototype.free = () => {
    throw new Error("not freed");
  };
  try {
    connection.send("x");
    assert.match((await connection.ended).text, /^lost: the stream throws/);
  } finally {
    Instance.prototype.free = free;
  }
  assert.deepEqual(errors, ["the stream throws"]);
});

test("memory that is exhausted when a connection is accepted is an error", PATIENCE, async () => {
  const ends = [];
  const small = await WebAssembly.compile(withMaxMemory(await readFile(FILE), 64 * 1024));
  const server = new WebSocketServer(small, { close: (_, end) => ends.push(end), error: () => {} });
  let accepted = 0;
  assert.throws(() => {
    for (; accepted < 10_000; accepted++) server.accept(pair()[1]);
  }, WebAssembly.RuntimeError);
  assert.equal(ends.length, accepted);
  const [mine, theirs] = pair();
  server.accept(theirs);
  mine.write(HEAD);
  assert.match(String((await once(mine, "data"))[0]), /^HTTP\/1\.1 101 /);
  for (const connection of server.connections) connection.abort();
});

test("many connections in one instance", PATIENCE, async (t) => {
  const server = await start(t);
  const sockets = await Promise.all(Array.from({ length: 300 }, () => open(server)));
  assert.equal(server.webSockets.connections.size, 300);
  for (let round = 0; round < 3; round++) await Promise.all(sockets.map((socket, i) => echoed(socket, `${round} to ${i}`)));
  for (const socket of sockets) socket.close();
  await until(() => server.ends.length === 300);
  assert.ok(server.ends.every(({ isClean }) => isClean));
  assert.equal(server.webSockets.connections.size, 0);
});

// Streams of other kinds.

/** Two ends of a stream in memory. The one of the server passes on what it gets in the same call. */
function pair() {
  const ends = [];
  const make = (other) =>
    new Duplex({
      read() {},
      write(chunk, _, done) {
        ends[other].push(chunk);
        done();
      },
      final(done) {
        ends[other].push(null);
        done();
      },
    });
  ends.push(make(1), make(0));
  return ends;
}

/** From now on, the stream's writes are not complete, until the function that is returned is called. */
function hold(stream) {
  const write = stream._write;
  const held = [];
  stream._write = (...chunk) => held.push(chunk);
  return () => {
    stream._write = write;
    for (const chunk of held) stream._write(...chunk);
  };
}

test("any duplex stream is served", PATIENCE, async () => {
  const [mine, theirs] = pair();
  const server = new WebSocketServer(module, {
    message: (connection, data) => {
      connection.send(data);
      if (data === "b") setTimeout(() => connection.send("c"), 10); // when the endpoint waits to read
    },
  });
  const connection = server.accept(theirs);
  let received = Buffer.alloc(0);
  // Replies in the same call in which the server writes.
  mine.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    const text = received.toString("latin1");
    if (text.endsWith("\r\n\r\n")) mine.write(frame(1, "a"));
    if (text.endsWith("\x81\x01a")) mine.write(frame(1, "b"));
    if (text.endsWith("\x81\x01c")) mine.end(closeFrame(1000));
  });
  mine.write(HEAD);
  assert.equal((await connection.ended).text, "closed by the peer, clean, sent 1000, received 1000");
  assert.match(received.toString("latin1"), /\x81\x01a\x81\x01b\x81\x01c\x88\x02\x03\xe8$/);
});

test("streams that fail are reported in the end", PATIENCE, async () => {
  const ended = [];
  const server = new WebSocketServer(module, { close: (_, end) => ended.push(end.text) });
  for (const fail of [(stream) => stream.destroy(new Error("cable broke")), (stream) => stream.destroy()]) {
    const [mine, theirs] = pair();
    const connection = server.accept(theirs);
    mine.write(HEAD);
    await once(mine, "data");
    fail(theirs);
    await connection.ended;
  }
  assert.deepEqual(ended, ["cable broke", "the stream was closed"].map((reason) => `transport failed: ${reason}, not clean`));
});

test("in a worker, and over streams that are sent to a worker", PATIENCE, async (t) => {
  const worker = new Worker(new URL("worker.js", import.meta.url), { workerData: { module } });
  t.after(() => worker.terminate());
  const [address] = await once(worker, "message");
  const socket = await open(address);
  await echoed(socket, "in a worker");
  await echoed(socket, Buffer.alloc(MIB, 1));
  const { createServer } = await import("node:net");
  const acceptor = createServer({ allowHalfOpen: true }, (stream) => {
    const { readable, writable } = Duplex.toWeb(stream);
    worker.postMessage({ readable, writable }, [readable, writable]);
  });
  await new Promise((resolve) => acceptor.listen(0, "127.0.0.1", resolve));
  t.after(() => acceptor.close());
  const other = await open(acceptor.address());
  await echoed(other, "over streams of the web");
  await echoed(other, Buffer.alloc(MIB, 2));
  other.close(1000);
  assert.equal((await once(other, "close"))[0], 1000);
});

test("TLS", { ...PATIENCE, skip: process.env.PEM ? false : "there is no openssl to make a certificate" }, async (t) => {
  const pem = await readFile(process.env.PEM);
  const server = await start(t, { tls: { cert: pem, key: pem } });
  const socket = new WebSocket(`wss://localhost:${server.port}/`, { ca: pem });
  await once(socket, "open");
  await echoed(socket, "over TLS");
  await echoed(socket, Buffer.alloc(MIB, 3));
  socket.close(1000);
  assert.equal((await once(socket, "close"))[0], 1000);
  await until(() => server.ends.length === 1);
  assert.equal(server.ends[0].isClean, true);
  const plain = connect(server.port, "127.0.0.1"); // is not TLS
  plain.on("error", () => {});
  plain.write("GET / HTTP/1.1\r\n\r\n");
  await once(plain, "close");
  assert.equal(server.ends.length, 1);
});

test("compression is negotiated if the server wants it", PATIENCE, async (t) => {
  const server = await start(t, { deflate: true });
  const socket = await open(server, [], { perMessageDeflate: true });
  assert.match(socket.extensions, /permessage-deflate/);
  await echoed(socket, "compress ".repeat(10_000));
  const plain = await open(await start(t), [], { perMessageDeflate: true });
  assert.equal(plain.extensions, "");
  await echoed(plain, "x".repeat(1000));
});

test("settings are checked", async () => {
  for (const options of [{ maxMessageSize: 0 }, { maxBuffered: NaN }, { openTimeout: -1 }]) {
    assert.throws(() => new WebSocketServer(module, options), { code: "INVALID_ARGUMENT" });
  }
  for (const options of [{ maxMessageSize: "1" }, { deflate: 1 }, { pingInterval: null, pingTimeout: {} }]) {
    assert.throws(() => new WebSocketServer(module, options), TypeError);
  }
});
