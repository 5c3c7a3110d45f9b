// server.js [PACKAGE]: a server on `ws`, or a version of it, whose behavior depends on the path, with the same paths and texts as the
// servers in Rust and Python.
"use strict";
const http = require("node:http");
const { WebSocketServer } = require(process.argv[2] ?? "ws");

const ended = new Map(); // how connections ended, by their name, which is the query of their URL

const pongs = (socket, payloads) => new Promise((resolve) => {
  const received = [];
  socket.on("pong", (payload) => {
    if (received.push(payload.toString()) === payloads.length) resolve(received);
  });
  for (const payload of payloads) socket.ping(payload);
});

// Other paths only echo.
const begin = {
  "/close": (socket) => socket.close(4001, "bye"),
  "/last": (socket) => {
    socket.send("last words");
    socket.close(4001, "bye");
  },
  "/ping": async (socket) => socket.send(`pong ${await pongs(socket, ["there?"])}`),
  "/flood": async (socket) => {
    const sent = Array.from({ length: 1000 }, (_, i) => String(i));
    const received = await pongs(socket, sent);
    socket.send(`${received.length} pongs ${String(received) === String(sent) ? "in order" : "out of order"}`);
  },
  "/fragments": (socket) => {
    const bytes = Buffer.from("aé日🦀");
    const parts = [[0, 2], [2, 2], [2, 7], [7, 9], [9, 10]];
    for (const [from, to] of parts) socket.send(bytes.subarray(from, to), { binary: false, fin: to === bytes.length });
  },
  "/binary": (socket) => socket.send(Buffer.from([0x00, 0x7f, 0x80, 0xff])),
  "/closed": (socket, name) => socket.send(ended.get(name) ?? ""),
};

function behave(socket, request) {
  const [path, name] = request.url.split("?");
  let messages = 0;
  socket.on("error", (error) => console.error(`${path}: ${error.message}`));
  socket.on("message", (data, binary) => {
    messages += 1;
    if (path === "/cut") socket.terminate(); // without a Close frame
    else if (socket.readyState !== socket.OPEN) return;
    else if (path.startsWith("/compression/") && data.subarray(0, 9).equals(Buffer.from("fragments"))) {
      socket.send(data.subarray(0, 500), { binary, fin: false });
      socket.send(data.subarray(500), { binary });
    } else socket.send(data, { binary, compress: !data.subarray(0, 5).equals(Buffer.from("plain")) });
  });
  socket.on("close", (code, reason) => {
    if (path !== "/closed") ended.set(name, `code=${code} reason=${reason} messages=${messages}`);
  });
  begin[path]?.(socket, name);
}

const sockets = new WebSocketServer({ noServer: true, maxPendingAutoPongs: 1000 });
const compressing = Object.fromEntries(Object.entries(require("./deflate.js")).map(([name, perMessageDeflate]) => (
  [name, new WebSocketServer({ noServer: true, perMessageDeflate })])));
const server = http.createServer();
server.on("upgrade", (request, stream, head) => {
  const status = /^\/(4\d\d)$/.exec(request.url)?.[1];
  if (status) stream.end(`HTTP/1.1 ${status} \r\nConnection: close\r\nContent-Length: 9\r\n\r\nno entry\n`);
  else (compressing[/^\/compression\/([^?]*)/.exec(request.url)?.[1]] ?? sockets).handleUpgrade(request, stream, head, behave);
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
