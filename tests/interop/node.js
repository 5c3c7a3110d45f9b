// node.js URL: node's `ws` as a client of an echo server.
"use strict";
const { once } = require("node:events");
const WebSocket = require("ws");
const { binaries, check, expect, longText, texts } = require("./report.js");

const url = process.argv[2];
const peer = "node-ws";

// Each case has a connection of its own, and closes it cleanly.
const run = (name, use) => check(peer, name, async () => {
  const socket = new WebSocket(url);
  try {
    await once(socket, "open");
    await use(socket);
    socket.close(1000);
    expect((await once(socket, "close"))[0], 1000);
  } finally {
    socket.terminate();
  }
});

const message = async (socket) => {
  const [data, isBinary] = await once(socket, "message");
  return isBinary ? data : data.toString();
};

(async () => {
  for (const [name, text] of Object.entries(texts)) {
    await run(name, async (socket) => {
      socket.send(text);
      expect(await message(socket), text);
    });
  }
  for (const [name, bytes] of Object.entries(binaries)) {
    await run(name, async (socket) => {
      socket.send(bytes);
      expect(await message(socket), Buffer.from(bytes));
    });
  }
  await run("fragments, cut inside characters", async (socket) => {
    const bytes = Buffer.from(texts["non-ASCII text"]);
    for (let at = 0; at < bytes.length; at += 3) {
      socket.send(bytes.subarray(at, at + 3), { binary: false, fin: at + 3 >= bytes.length });
    }
    expect(await message(socket), bytes.toString());
  });
  await run("fragments, a ping between them", async (socket) => {
    const pong = once(socket, "pong");
    socket.send(longText, { fin: false });
    socket.ping("between");
    socket.send("end", { fin: true });
    expect(await message(socket), `${longText}end`);
    expect((await pong)[0].toString(), "between");
  });
  await run("ping", async (socket) => {
    socket.ping("there?");
    expect((await once(socket, "pong"))[0].toString(), "there?");
  });
  await run("1,000 messages at once, in order", async (socket) => {
    const sent = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
    const received = [];
    const all = new Promise((resolve) => socket.on("message", (data) => {
      if (received.push(data.toString()) === sent.length) resolve();
    }));
    for (const text of sent) socket.send(text);
    await all;
    expect(received, sent);
  });
  await check(peer, "close with 4001", async () => {
    const socket = new WebSocket(url);
    await once(socket, "open");
    socket.close(4001, "bye");
    expect((await once(socket, "close"))[0], 4001);
  });
})();
