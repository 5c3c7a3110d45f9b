// chat.js ADDRESS: tests the chat example, started with `--ping-seconds 1`, with two pages in headless Chromium, with `ws`,
// and with a peer that does not reply to pings.
"use strict";
const net = require("node:net");
const { once } = require("node:events");
const WebSocket = require("ws");
const { launch } = require("./page.js");
const { check, expect } = require("./report.js");

const address = process.argv[2];
const peer = "chat";

const appears = (page, text) => page.locator("#log li", { hasText: text }).waitFor({ timeout: 5000 });
const say = async (page, text) => {
  await page.fill("#message", text);
  await page.press("#message", "Enter");
};

(async () => {
  const browser = await launch();
  const [one, two] = [await browser.newPage(), await browser.newPage()];
  for (const page of [one, two]) {
    await page.goto(`http://${address}/`);
  }
  // The pages may still be connecting: try until a message is shown.
  const connected = async (page, word) => {
    for (let tries = 0; tries < 20; tries++) {
      await say(page, `${word} ${tries}`);
      if (await page.locator("#log li", { hasText: word }).first().waitFor({ timeout: 250 }).then(() => true, () => false)) return;
    }
    throw new Error("the page never showed its own message");
  };

  await check(peer, "two pages connect", async () => {
    await connected(one, "first");
    await connected(two, "second");
  });
  await check(peer, "a message from page one appears in page two", async () => {
    await say(one, "Grüße aus 東京 🦀");
    await appears(two, "Grüße aus 東京 🦀");
  });
  await check(peer, "a message from page two appears in page one", async () => {
    await say(two, "and back");
    await appears(one, "and back");
  });
  await check(peer, "a message is shown as text, not as markup", async () => {
    await say(one, "<b>bold</b>");
    await appears(two, "<b>bold</b>");
    expect(await two.locator("#log b").count(), 0);
  });

  const socket = new WebSocket(`ws://${address}/chat`);
  await check(peer, "a message from ws appears in both pages", async () => {
    await once(socket, "open");
    socket.send("from node");
    await Promise.all([appears(one, "from node"), appears(two, "from node")]);
  });

  await check(peer, "a peer that does not reply to pings is dropped", async () => {
    const port = Number(address.split(":").pop());
    const silent = net.connect(port, "127.0.0.1");
    silent.write(`GET /chat HTTP/1.1\r\nHost: ${address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
      + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    const [head] = await once(silent, "data");
    expect(head.toString().split("\r\n")[0].split(" ")[1], "101");
    // Reads everything, and never replies. Dropping it is an end or a reset of the transport.
    silent.resume();
    await new Promise((resolve) => silent.once("close", resolve).once("error", resolve).once("end", resolve));
  });
  await check(peer, "the others are still connected", async () => {
    expect(socket.readyState, WebSocket.OPEN);
    await say(one, "still here");
    await appears(two, "still here");
  });

  await browser.close();
  // Otherwise, a socket that was not dropped would keep the script running.
  process.exit();
})();
