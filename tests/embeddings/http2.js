// http2.js PLAIN_ADDRESS TLS_ADDRESS CERTIFICATE CLIENT: tests the HTTP/2 embedding with `ws` on node's HTTP/2, in both
// roles, and with a page in headless Chromium.
"use strict";
const { execFile } = require("node:child_process");
const { X509Certificate } = require("node:crypto");
const { once } = require("node:events");
const fs = require("node:fs");
const http2 = require("node:http2");
const { promisify } = require("node:util");
const WebSocket = require("ws");
const { launch } = require("../interop/page.js");
const { check, expect } = require("../interop/report.js");
const { cases } = require("./echo.js");
const { echoes } = require("./echo_page.js");

const [plain, tls, certificate, client] = process.argv.slice(2);
const ca = new X509Certificate(fs.readFileSync(certificate)).toString();

const connect = async (origin) => {
  // By default, node resets the streams of a session that has 10 MB queued. 100 connections queue that much if the server is slow.
  const session = http2.connect(origin, { ca, maxSessionMemory: 100 });
  const [settings] = await once(session, "remoteSettings");
  expect(settings.enableConnectProtocol, true);
  return session;
};
const request = { ":method": "CONNECT", ":protocol": "websocket", ":path": "/echo", "sec-websocket-version": "13" };

// Sends the request with these changes, and returns the stream and the fields of its response.
const ask = async (session, changes, options = { endStream: false }) => {
  const fields = { ...request, ...changes };
  for (const name in fields) if (fields[name] === null) delete fields[name];
  const stream = session.request(fields, options);
  const [head] = await once(stream, "response");
  return [stream, head];
};

// `ws` over an open stream, in either role.
const over = (stream, isServer) => {
  const socket = new WebSocket(null, undefined, { closeTimeout: 10000 });
  socket._isServer = isServer;
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0, skipUTF8Validation: false });
  return socket;
};

(async () => {
  for (const [name, origin] of [["node", `http://${plain}`], ["node, TLS", `https://${tls}`]]) {
    const session = await connect(origin);
    await cases(name, async () => {
      const [stream, head] = await ask(session, {});
      expect([head[":status"], "sec-websocket-accept" in head], [200, false]);
      return over(stream, false);
    });
    await check(name, "100 connections at the same time in one HTTP/2 connection", async () => {
      await Promise.all(Array.from({ length: 100 }, async (_, number) => {
        const [stream] = await ask(session, {});
        const socket = over(stream, false);
        const message = Buffer.alloc(100_000, number);
        socket.send(message);
        expect((await once(socket, "message"))[0], message);
        socket.close(1000);
        expect((await once(socket, "close"))[0], 1000);
      }));
    });
    await check(name, "a client that does not read does not block the others", async () => {
      const [stuck] = await ask(session, {});
      stuck.pause();
      stuck.write(Buffer.concat([Buffer.from("82ff0000000000100000" + "00000000", "hex"), Buffer.alloc(1024 * 1024)]));
      stuck.write(Buffer.concat([Buffer.from("82ff0000000000100000" + "00000000", "hex"), Buffer.alloc(1024 * 1024)]));
      await new Promise((resolve) => setTimeout(resolve, 200));
      const [stream] = await ask(session, {});
      const socket = over(stream, false);
      socket.send("through");
      expect((await once(socket, "message"))[0].toString(), "through");
      socket.close();
      stuck.close(http2.constants.NGHTTP2_CANCEL);
    });
    for (const [name, status, changes, options] of [
      ["another protocol: 501", 501, { ":protocol": "connect-udp" }],
      ["version 8: 400", 400, { "sec-websocket-version": "8" }],
      ["no version: 400", 400, { "sec-websocket-version": null }],
      ["an unsupported scheme: 400", 400, { ":scheme": "ftp" }],
      ["a length: 400", 400, { "content-length": "5" }],
      ["an unknown path: 404", 404, { ":path": "/nothing" }],
      ["a foreign origin: 403", 403, { origin: "https://example.com" }],
      ["a stream that has ended: 400", 400, {}, { endStream: true }],
      ["GET of the WebSocket path: 400", 400, { ":method": "GET", ":protocol": null }],
    ]) {
      await check("node", name, async () => {
        const [stream, head] = await ask(session, changes, options);
        console.log(`note node            ${name}: ${head[":status"]} ${(await stream.toArray()).join("").trim()}`);
        stream.close();
        expect(head[":status"], status);
      });
    }
    session.destroy();
  }

  await check("node", "as the server of our client", async () => {
    const server = http2.createServer({ settings: { enableConnectProtocol: true } });
    server.on("stream", (stream, head) => {
      const got = [":method", ":protocol", ":scheme", ":path", "sec-websocket-version", "sec-websocket-key"];
      expect(got.map((name) => head[name]), ["CONNECT", "websocket", "http", "/there?x=y", "13", undefined]);
      stream.respond({ ":status": 200 });
      const socket = over(stream, true);
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `ws://127.0.0.1:${server.address().port}/there?x=y`;
    const { stdout } = await promisify(execFile)(client, ["echo", url, "--messages", "5000", "--size", "1000"]);
    console.log(`note node            our client: ${stdout.trim()}`);
    server.close();
  });
  await check("node", "no request to a server without the setting", async () => {
    const server = http2.createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `ws://127.0.0.1:${server.address().port}/`;
    const { stderr } = await promisify(execFile)(client, ["echo", url]).catch((error) => error);
    expect(stderr.trim(), 'Error: "the server does not allow extended CONNECT"');
    server.close();
  });

  const browser = await launch();
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await check("chromium", "the page and its connection", async () => {
    await page.goto(`https://${tls}/`);
    await page.locator("#state", { hasText: /^connected$/ }).waitFor();
  });
  await echoes(page, `wss://${tls}/echo`);
  await browser.close();
  process.exit();
})();
