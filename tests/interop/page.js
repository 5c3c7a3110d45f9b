// Headless Chromium, started in the one way that works for root and on a closed network too.
"use strict";
const { chromium } = require("playwright-core");

exports.launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Root, and many a container, cannot have the sandbox; nothing but the pages of this test is opened.
  chromiumSandbox: false,
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
