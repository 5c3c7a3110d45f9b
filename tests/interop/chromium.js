// chromium.js URL: a page in headless Chromium as a client of an echo server.
"use strict";
const http = require("node:http");
const { once } = require("node:events");
const { launch } = require("./page.js");
const { binaries, check, expect, texts } = require("./report.js");

const url = process.argv[2];
const peer = "chromium";

// These two run in the page, which hands over bytes as a list.
const echo = ([url, message]) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send(typeof message === "string" ? message : Uint8Array.from(message));
  let echoed = null;
  socket.onmessage = ({ data }) => {
    echoed = typeof data === "string" ? data : Array.from(new Uint8Array(data));
    socket.close(1000);
  };
  socket.onclose = ({ code, wasClean }) => resolve({ echoed, code, wasClean });
});
const close = ([url, code, reason]) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => socket.close(code, reason);
  socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean });
});

(async () => {
  const site = http.createServer((_, response) => response.end("<!doctype html><title>echo</title>"));
  await once(site.listen(0, "127.0.0.1"), "listening");
  const browser = await launch();
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);

  for (const [name, text] of Object.entries(texts)) {
    await check(peer, name, async () => {
      expect(await page.evaluate(echo, [url, text]), { echoed: text, code: 1000, wasClean: true });
    });
  }
  for (const [name, bytes] of Object.entries(binaries)) {
    await check(peer, name, async () => {
      const sent = Array.from(bytes);
      expect(await page.evaluate(echo, [url, sent]), { echoed: sent, code: 1000, wasClean: true });
    });
  }
  await check(peer, "close with 4001", async () => {
    expect(await page.evaluate(close, [url, 4001, "bye"]), { code: 4001, wasClean: true });
  });

  await browser.close();
  site.close();
})();
