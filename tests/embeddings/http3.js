// http3.js ADDRESS CERTIFICATE: the HTTP/3 embedding, from a page in headless Chromium.
"use strict";
const { X509Certificate, createHash } = require("node:crypto");
const fs = require("node:fs");
const { chromium } = require("playwright-core");
const { check, expect } = require("../interop/report.js");

const [address, certificate] = process.argv.slice(2);
const [host, port] = address.split(/:(?=[0-9]+$)/);
const key = new X509Certificate(fs.readFileSync(certificate)).publicKey.export({ type: "spki", format: "der" });
const origin = `localhost:${port}`;

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    chromiumSandbox: false, // as in ../interop/page.js
    args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      // QUIC from the first packet on, to this server and by its certificate, and what Chromium has behind a switch still.
      "--enable-quic", `--origin-to-force-quic-on=${origin}`, `--host-resolver-rules=MAP localhost ${host}`,
      `--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`,
      "--enable-features=EnableWebsocketsOverHttp3"],
  });
  const page = await browser.newPage();
  await check("chromium", "the page, over HTTP/3", async () => {
    await page.goto(`https://${origin}/`);
    expect(await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h3");
  });
  await check("chromium", "its connection", async () => {
    await page.locator("#state", { hasText: /^connected$/ }).waitFor();
  });
  await check("chromium", "a message comes back", async () => {
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
    }), `wss://${origin}/echo`);
    console.log(`note chromium        5000 messages of 125 bytes echoed in ${got[3]} ms`);
    expect(got.slice(0, 3), [5000, true, 1000]);
  });
  await browser.close();
  process.exit();
})();
