// http3.js ADDRESS CERTIFICATE: tests the HTTP/3 embedding with a page in headless Chromium.
"use strict";
const { X509Certificate, createHash } = require("node:crypto");
const fs = require("node:fs");
const { launch } = require("../interop/page.js");
const { check, expect } = require("../interop/report.js");
const { echoes } = require("./echo_page.js");

const [address, certificate] = process.argv.slice(2);
const [host, port] = address.split(/:(?=[0-9]+$)/);
const key = new X509Certificate(fs.readFileSync(certificate)).publicKey.export({ type: "spki", format: "der" });
const origin = `localhost:${port}`;

(async () => {
  // QUIC from the first packet, to this server with its certificate; WebSocket over HTTP/3 is off by default.
  const browser = await launch(["--enable-quic", `--origin-to-force-quic-on=${origin}`, `--host-resolver-rules=MAP localhost ${host}`,
    `--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`,
    "--enable-features=EnableWebsocketsOverHttp3"]);
  const page = await browser.newPage();
  await check("chromium", "the page, over HTTP/3", async () => {
    await page.goto(`https://${origin}/`);
    expect(await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h3");
  });
  await check("chromium", "its connection", async () => {
    await page.locator("#state", { hasText: /^connected$/ }).waitFor();
  });
  await echoes(page, `wss://${origin}/echo`);
  await browser.close();
  process.exit();
})();
