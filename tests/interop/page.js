// Headless Chromium, started in the one way that works for root and on a closed network too.
"use strict";
const { chromium } = require("playwright-core");

// Without QUIC, unless the caller has other switches in its place.
exports.launch = (switches = ["--disable-quic"]) => chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Root, and many a container, cannot have the sandbox; nothing but the pages of this test is opened.
  chromiumSandbox: false,
  args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", ...switches],
});
