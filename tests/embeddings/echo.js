// Cases for every echo server, over any transport: `open` returns a new connection as a `WebSocket` of `ws`.
"use strict";
const { once } = require("node:events");
const { check, expect } = require("../interop/report.js");

exports.cases = async (peer, open) => {
  const received = async (socket) => {
    const [data, isBinary] = await once(socket, "message");
    return isBinary ? data : data.toString();
  };
  const closed = async (socket) => {
    const [code, reason] = await once(socket, "close");
    return [code, reason.toString()];
  };
  const echo = async (socket, message) => {
    socket.send(message);
    expect(await received(socket), message);
  };

  await check(peer, "text, binary, nothing", async () => {
    const socket = await open();
    for (const message of ["Grüße aus 東京 🦀", Buffer.from([0, 255, 127]), "", Buffer.alloc(0)]) await echo(socket, message);
    socket.close();
    expect(await closed(socket), [1005, ""]);
  });
  await check(peer, "a message of 1 MiB", async () => {
    const socket = await open();
    await echo(socket, Buffer.alloc(1024 * 1024, "0123456789"));
    socket.close(1000, "done");
    expect((await closed(socket))[0], 1000);
  });
  await check(peer, "fragments with a ping between them", async () => {
    const socket = await open();
    socket.send("one ", { fin: false });
    socket.ping("still there?");
    socket.send("two", { fin: true });
    // Awaited together, as both may arrive in one packet.
    const [[pong], message] = await Promise.all([once(socket, "pong"), received(socket)]);
    expect([pong.toString(), message], ["still there?", "one two"]);
    socket.close(4000, "own code");
    expect((await closed(socket))[0], 4000);
  });
  await check(peer, "a client that writes 16 MiB before it reads", async () => {
    const socket = await open();
    socket.pause();
    for (let i = 0; i < 256; i++) socket.send(Buffer.alloc(65536, i));
    await new Promise((resolve) => setTimeout(resolve, 300));
    let count = 0;
    const all = new Promise((resolve) => socket.on("message", (data) => {
      expect([data.length, data[0], data[65535]], [65536, count, count]);
      if (++count === 256) resolve();
    }));
    socket.resume();
    await all;
    socket.close(1000);
    expect((await closed(socket))[0], 1000);
  });
  await check(peer, "text that is not UTF-8 fails with 1007", async () => {
    const socket = await open();
    socket.send(Buffer.from([0xc3, 0x28]), { binary: false });
    expect((await closed(socket))[0], 1007);
  });
  await check(peer, "a message over the limit fails with 1009", async () => {
    const socket = await open();
    socket.on("error", () => {}); // from the rest of the write
    socket.send(Buffer.alloc(17 * 1024 * 1024));
    expect((await closed(socket))[0], 1009);
  });
  await check(peer, "messages in flight", async () => {
    const [messages, size] = [20000, 125];
    const socket = await open();
    const began = performance.now();
    let count = 0;
    const all = new Promise((resolve) => socket.on("message", () => { if (++count === messages) resolve(); }));
    const message = Buffer.alloc(size, "x");
    for (let i = 0; i < messages; i++) socket.send(message);
    await all;
    const time = performance.now() - began;
    console.log(`note ${peer.padEnd(15)} ${messages} messages of ${size} bytes echoed in ${time.toFixed(0)} ms`);
    socket.close(1000);
    expect((await closed(socket))[0], 1000);
  });
};
