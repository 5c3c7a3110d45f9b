// cat_peer.js: a server on node's `ws` for the `cat` example; the path of the URL says how it behaves.
"use strict";
const http = require("node:http");
const { WebSocketServer } = require("ws");

const behaviours = {
  "/echo": (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })),
  "/binary": (socket) => socket.send(Buffer.from([0x00, 0x7f, 0x80, 0xff])),
  "/close": (socket) => socket.close(4001, "bye"),
  // The transport ends without a Close frame.
  "/cut": (socket) => socket.on("message", () => socket.terminate()),
};

const server = http.createServer();
const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, stream, head) => {
  const behave = behaviours[request.url];
  if (!behave) {
    stream.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  sockets.handleUpgrade(request, stream, head, behave);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
