// client.js NAME URL [CA]: tests an embedding with node's `ws`. Prints one line per case.
"use strict";
const fs = require("node:fs");
const { once } = require("node:events");
const { isDeepStrictEqual } = require("node:util");
const WebSocket = require("ws");

const [name, url, ca] = process.argv.slice(2);
const options = { perMessageDeflate: false, maxPayload: 0, ca: ca && fs.readFileSync(ca) };
const TEXT = "Zażółć gęślą jaźń, 日本語, 🦀";

function expect(got, expected) {
  if (!isDeepStrictEqual(got, expected)) throw new Error(`got ${String(got).slice(0, 80)}, expected ${String(expected).slice(0, 80)}`);
}

async function echoed(socket, message) {
  socket.send(message);
  const [data, isBinary] = await once(socket, "message");
  expect([isBinary, data.toString("latin1")], [typeof message !== "string", Buffer.from(message).toString("latin1")]);
}

const cases = {
  text: (socket) => echoed(socket, TEXT),
  binary: (socket) => echoed(socket, Buffer.from([0, 1, 254, 255])),
  "1 MiB": (socket) => echoed(socket, Buffer.alloc(1 << 20, "1 MiB")),
  ping: async (socket) => {
    socket.ping("are you there");
    expect(String(await once(socket, "pong")), "are you there");
  },
  "invalid close code: Close 1002": async (socket) => {
    socket._socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed])); // 1005, masked with zeros
    const [code] = await once(socket, "close");
    expect(code, 1002);
  },
};

(async () => {
  for (const [title, run] of Object.entries(cases)) {
    const late = setTimeout(() => process.exit(1), 15000);
    try {
      const socket = new WebSocket(url, options);
      await once(socket, "open");
      await run(socket);
      if (socket.readyState === WebSocket.OPEN) {
        socket.close(1000, "done");
        const [code] = await once(socket, "close");
        expect(code, 1000);
      }
      console.log(`ok   ${name.padEnd(15)} ws: ${title}`);
    } catch (error) {
      console.log(`FAIL ${name.padEnd(15)} ws: ${title}: ${error.message}`);
    }
    clearTimeout(late);
  }
})();
