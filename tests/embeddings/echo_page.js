// Cases for the page of an echo server, which has to be open and connected: one message sent with the form, and many with a script.
"use strict";
const { check, expect } = require("../interop/report.js");

exports.echoes = async (page, url) => {
  await check("chromium", "a message is echoed", async () => {
    await page.fill("#message", "Grüße aus 東京 🦀");
    await page.press("#message", "Enter");
    await page.locator("#log li", { hasText: "Grüße aus 東京 🦀" }).waitFor();
  });
  await check("chromium", "messages in flight, and the closing handshake", async () => {
    const got = await page.evaluate((url) => new Promise((resolve) => {
      const socket = new WebSocket(url);
      let [count, began] = [0, 0];
      socket.onopen = () => {
        began = performance.now();
        for (let i = 0; i < 5000; i++) socket.send("x".repeat(125));
      };
      socket.onmessage = () => { if (++count === 5000) socket.close(1000); };
      socket.onclose = (event) => resolve([count, event.wasClean, event.code, (performance.now() - began).toFixed(0)]);
    }), url);
    console.log(`note chromium        5000 messages of 125 bytes echoed in ${got[3]} ms`);
    expect(got.slice(0, 3), [5000, true, 1000]);
  });
};
