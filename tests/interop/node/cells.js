// The cells of the matrix, for clients in JavaScript: in node, and in a page, which loads this file as a script.
// They have the same names as in the clients in Rust and Python.
"use strict";

// runCells(open, url, selected, print): `open(url, protocols, compression)` resolves to a socket with send, next (the next message),
// close, closed ({code, reason, wasClean}) and protocol and, if the API supports them, sendFragments, sendPlain and pings. A rejected
// handshake is an error, with the status if it is known.
globalThis.runCells = async (open, url, selected, print) => {
  const text = "Zażółć gęślą jaźń, 日本語, 🦀";
  const binary = (size) => Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251);
  const utf8 = (string) => new TextEncoder().encode(string);

  class Skip extends Error {}
  const show = (value) => String(value instanceof Uint8Array ? `${value.length} bytes` : JSON.stringify(value)).slice(0, 80);
  const same = (one, two) => (one instanceof Uint8Array && two instanceof Uint8Array
    ? one.length === two.length && one.every((byte, at) => byte === two[at])
    : JSON.stringify(one) === JSON.stringify(two));
  const expect = (got, expected) => {
    if (!same(got, expected)) throw new Error(`got ${show(got)}, expected ${show(expected)}`);
  };
  const close = async (socket, code, reason) => {
    socket.close(code, reason);
    const closed = await socket.closed;
    expect([closed.code, closed.wasClean], [code, true]);
  };
  // Opens a connection for a cell, and expects it to end cleanly.
  const on = (path, use) => async () => {
    const socket = await open(url + path, []);
    const skipped = await use(socket).then(() => null, (error) => {
      if (!(error instanceof Skip)) throw error;
      return error;
    });
    await close(socket, 1000, "");
    if (skipped) throw skipped;
  };
  const says = (path, message) => on(path, async (socket) => expect(await socket.next(), message));
  const echoes = (message) => on("/echo", async (socket) => {
    socket.send(message);
    expect(await socket.next(), message);
  });
  const newName = () => Math.random().toString(36).slice(2);
  // Checks how the server reports the end of the connection with this name, which it may notice a moment after us.
  const expectEnded = async (name, right) => {
    let told;
    for (let tries = 0; tries < 20; tries++) {
      await on(`/closed?${name}`, async (socket) => { told = await socket.next(); })();
      if (right(told)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the server reports ${told}`);
  };
  const closedByServer = (path, ...messages) => async () => {
    const name = newName();
    const socket = await open(`${url}${path}?${name}`, []);
    for (const message of messages) expect(await socket.next(), message);
    const { code, reason, wasClean } = await socket.closed;
    expect({ code, reason, wasClean }, { code: 4001, reason: "bye", wasClean: true });
    await expectEnded(name, (told) => told.startsWith("code=4001 "));
  };
  const rejected = (status) => async () => {
    const error = await open(`${url}/${status}`, []).then(() => new Error("accepted"), (error) => error);
    if (error.message !== "rejected") throw error;
    if (error.status) expect([error.status, error.body], [status, "no entry\n"]);
  };
  const can = (socket, call) => {
    if (!socket[call]) throw new Skip("its API does not support it");
    return socket[call];
  };
  const messages = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
  const numbers = Array.from({ length: 1000 }, (_, i) => String(i));

  // Messages that repeat parts of earlier ones, except for the noise. The names of the settings are part of the URL.
  const noise = (size) => {
    let state = 1;
    return Uint8Array.from({ length: size }, () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) >> 16 & 255);
  };
  const json = (size) => {
    let whole = "";
    for (let id = 0; whole.length < size; id++) {
      whole += `{"id":${id},"symbol":"ABC","side":"buy","price":${id * 37 % 1000},"size":100},`;
    }
    return whole;
  };
  const hex = Array.from(noise(80), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const toCompress = [hex, hex, json(1024), json(1024), json(65536), json(1024), text.repeat(100), "", noise(10000),
    new Uint8Array(), "short", `plain ${json(1024)}`, json(2048), `fragments ${json(1024)}${text}`, hex];
  const compression = (client, server) => async () => {
    if (globalThis.cannotAsk?.(client)) throw new Skip("its API cannot request it");
    const socket = await open(`${url}/compression/${server}?${client}`, [], client);
    for (const message of toCompress) {
      if (socket.sendPlain && String(message).startsWith("plain")) socket.sendPlain(message);
      else if (socket.sendFragments && String(message).startsWith("fragments")) {
        const bytes = utf8(message);
        socket.sendFragments([bytes.slice(0, 500), new Uint8Array(), bytes.slice(500, -3), bytes.slice(-3)]);
      } else socket.send(message);
    }
    for (const message of toCompress) expect(await socket.next(), message);
    await close(socket, 1000, "");
  };

  const cells = [
    ["echo", "text", echoes("hello")],
    ["echo", "non-ASCII text", echoes(text)],
    ["echo", "binary", echoes(Uint8Array.from({ length: 256 }, (_, i) => i))],
    ["echo", "empty text", echoes("")],
    ["echo", "empty binary", echoes(new Uint8Array())],
    ["echo", "70,000 bytes of text", echoes("aé日🦀".repeat(7000))],
    ["echo", "70,000 bytes of binary", echoes(binary(70000))],
    ["echo", "16 MiB", echoes(binary(16 * 1024 * 1024))],
    ["echo", "fragments, one empty, cut inside characters", on("/echo", async (socket) => {
      const bytes = utf8(text);
      const parts = [new Uint8Array()];
      for (let at = 0; at < bytes.length; at += 3) parts.push(bytes.slice(at, at + 3));
      can(socket, "sendFragments")(parts);
      expect(await socket.next(), text);
    })],
    ["echo", "fragments, a ping between them", on("/echo", async (socket) => {
      can(socket, "sendFragments")([utf8("one, ")], false);
      const pongs = socket.pings(["between"]);
      socket.sendFragments([utf8("two")]);
      expect(await socket.next(), "one, two");
      expect(await pongs, ["between"]);
    })],
    ["echo", "1,000 messages at once, in order", on("/echo", async (socket) => {
      for (const message of messages) socket.send(message);
      for (const message of messages) expect(await socket.next(), message);
    })],
    ["echo", "ping by the client", on("/echo", async (socket) => {
      expect(await can(socket, "pings")(["there?"]), ["there?"]);
    })],
    ["echo", "1,000 pings by the client", on("/echo", async (socket) => {
      expect(await can(socket, "pings")(numbers), numbers);
    })],
    ["echo", "close 4001", async () => close(await open(`${url}/echo`, []), 4001, "bye")],
    ["paths", "ping by the server", says("/ping", "pong there?")],
    ["paths", "1,000 pings by the server", says("/flood", "1000 pongs in order")],
    ["paths", "fragments from the server", says("/fragments", "aé日🦀")],
    ["paths", "close 4001 by the client", async () => {
      const name = newName();
      await close(await open(`${url}/echo?${name}`, []), 4001, "bye");
      await expectEnded(name, (told) => told === "code=4001 reason=bye messages=0");
    }],
    ["paths", "close 4001 by the server", closedByServer("/close")],
    ["paths", "a message and a close at once, by the client", async () => {
      const name = newName();
      const socket = await open(`${url}/echo?${name}`, []);
      socket.send("last words");
      await close(socket, 4001, "bye");
      await expectEnded(name, (told) => told === "code=4001 reason=bye messages=1");
    }],
    ["paths", "a message and a close at once, by the server", closedByServer("/last", "last words")],
    ["paths", "subprotocol", async () => {
      const socket = await open(`${url}/echo`, ["chat", "other"]);
      expect(socket.protocol, "chat");
      await close(socket, 1000, "");
    }],
    ["paths", "rejected with 401", rejected(401)],
    ["paths", "rejected with 403", rejected(403)],
    ["paths", "rejected with 404", rejected(404)],
    ["compression", "compression, defaults", compression("defaults", "defaults")],
    ["compression", "compression, windows of 15 bits", compression("15-bits", "15-bits")],
    ["compression", "compression, no takeover, as the client asks", compression("no-takeover", "defaults")],
    ["compression", "compression, no takeover, as the server answers", compression("15-bits", "no-takeover")],
    ["compression", "compression, windows of 9 bits, as the client asks", compression("9-bits", "defaults")],
    ["compression", "compression, windows of 9 bits, as the server answers", compression("15-bits", "9-bits")],
    ["compression", "compression, windows of 10 bits, as the client asks", compression("10-bits", "defaults")],
    ["compression", "compression, windows of 10 bits, as the server answers", compression("15-bits", "10-bits")],
    ...[10, 11, 12, 13, 14, 15].map((bits) => (
      ["windows", `compression, ${bits} bits of the client's own, as it asks`, compression(`client-${bits}`, "defaults")])),
  ];

  for (const [group, name, run] of cells) {
    if (!selected.includes(group) && !selected.includes(name)) continue;
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("no end within 15 s")), 15000); });
    try {
      await Promise.race([run(), late]);
      print(`ok\t${name}\t`);
    } catch (error) {
      print(`${error instanceof Skip ? "skip" : "FAIL"}\t${name}\t${error.message}`);
    } finally {
      clearTimeout(timer);
    }
  }
};

// openWith(WebSocket): `open` for the WebSocket API of browsers.
globalThis.openWith = (WebSocket) => (url, protocols) => new Promise((resolve, reject) => {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const received = [];
  const waiting = [];
  const closed = new Promise((end) => {
    socket.onclose = (event) => {
      reject(new Error("rejected")); // no effect if it was open
      end(event);
    };
  });
  const tooLate = closed.then(({ code }) => { throw new Error(`closed with ${code}`); });
  tooLate.catch(() => {}); // no error if nothing waits
  socket.onerror = () => {}; // a close follows
  socket.onmessage = ({ data }) => {
    const message = typeof data === "string" ? data : new Uint8Array(data);
    if (waiting.length) waiting.shift()(message);
    else received.push(message);
  };
  const next = () => (received.length
    ? Promise.resolve(received.shift())
    : Promise.race([new Promise((take) => waiting.push(take)), tooLate]));
  socket.onopen = () => resolve({
    socket, closed, next, protocol: socket.protocol,
    send: (message) => socket.send(message),
    close: (code, reason) => socket.close(code, reason),
  });
});
