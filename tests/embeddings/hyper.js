// hyper.js ADDRESS: tests the hyper embedding with `ws`, with a raw socket and with a page in headless Chromium.
"use strict";
const net = require("node:net");
const { once } = require("node:events");
const WebSocket = require("ws");
const { launch } = require("../interop/page.js");
const { check, expect } = require("../interop/report.js");
const { cases } = require("./echo.js");

const address = process.argv[2];

(async () => {
  await cases("ws", async () => {
    const socket = new WebSocket(`ws://${address}/echo`);
    await once(socket, "open");
    return socket;
  });

  // Two frames in the packet of the request: "Hi", masked with zeros, and a Close. Expects the replies and the end of the stream.
  await check("socket", "frames in the packet of the request", async () => {
    const [host, port] = address.split(":");
    const socket = net.connect(port, host);
    socket.write(`GET /echo HTTP/1.1\r\nHost: ${address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
      + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
      + "\x81\x82\0\0\0\0Hi\x88\x82\0\0\0\0\x03\xe8", "latin1");
    const answer = Buffer.concat(await socket.toArray()).toString("latin1");
    expect(answer.slice(answer.indexOf("\r\n\r\n") + 4), "\x81\x02Hi\x88\x02\x03\xe8");
  });

  const browser = await launch();
  const page = await browser.newPage();
  await check("chromium", "the page and its connection", async () => {
    await page.goto(`http://${address}/`);
    await page.locator("#state", { hasText: /^connected$/ }).waitFor();
  });
  await check("chromium", "a message is echoed, and the API counts it", async () => {
    await page.fill("#message", "Grüße aus 東京 🦀 <b>bold</b>");
    await page.press("#message", "Enter");
    await page.locator("#log li", { hasText: "Grüße aus 東京 🦀 <b>bold</b>" }).waitFor();
    await page.locator("#counts", { hasText: /^20[0-9]{3} messages/ }).waitFor();
    console.log(`note ${"chromium".padEnd(15)} ${await page.locator("#counts").textContent()}`);
  });
  await check("chromium", "a page of another origin is rejected", async () => {
    const state = await page.evaluate((url) => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts"; // its origin is `null`
      frame.srcdoc = `<script>new WebSocket("${url}").onclose = (event) => parent.postMessage(event.code, "*")</` + "script>";
      addEventListener("message", (event) => resolve(event.data));
      document.body.append(frame);
    }), `ws://${address}/echo`);
    expect(state, 1006);
  });
  await browser.close();
  process.exit();
})();
