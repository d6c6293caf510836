// Walks through the status page in headless Chromium, and prints what it found as JSON.
"use strict";
const path = require("path");
const { chromium } = require(path.join(process.env.NODE_MODULES, "playwright-core"));

const { PAGE_URL, POLICY, KEY, PICTURES } = process.env;
const found = { errors: [], outside: [] };

async function picture(page, name) {
  if (PICTURES)
    await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
}

// Every field has a label, every table a caption, every button a name; text stands out enough.
function accessibility() {
  const faults = [];
  for (const field of document.querySelectorAll("input, select, textarea"))
    if (!field.labels || !field.labels.length)
      faults.push(`no label: ${field.outerHTML}`);
  for (const table of document.querySelectorAll("table"))
    if (!table.caption || !table.querySelector("th[scope=col]"))
      faults.push("a table without caption or heads");
  for (const button of document.querySelectorAll("button"))
    if (!button.textContent.trim())
      faults.push("a button without a name");
  if (document.querySelectorAll("h1").length !== 1 || !document.documentElement.lang)
    faults.push("no single h1, or no language");
  const shine = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map((part) => {
      const value = part / 255;
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!/, 0\)$|transparent/.test(colour))
        return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of document.querySelectorAll("body *")) {
    if (!element.textContent.trim() || element.children.length || !element.offsetParent)
      continue;
    const [dark, light] = [shine(getComputedStyle(element).color), shine(ground(element))].sort((a, b) => a - b);
    if ((light + 0.05) / (dark + 0.05) < 4.5)
      faults.push(`too little contrast: ${element.outerHTML.slice(0, 100)}`);
  }
  return faults;
}

async function check(page, name) {
  found.errors.push(...(await page.evaluate(accessibility)).map((fault) => `${name}: ${fault}`));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0)
    found.errors.push(`${name}: ${wide} pixels too wide`);
}

async function signIn(page, policy, key) {
  await page.locator("#policy").fill(policy);
  await page.locator("#key").fill(key);
  await page.keyboard.press("Enter"); // by keyboard alone
}

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, acceptDownloads: true,
    viewport: { width: 1100, height: 760 } });
  const page = await context.newPage();
  page.setDefaultTimeout(120000);
  page.on("console", (message) => {
    if (message.type() === "error" && !/401|400/.test(message.text()))
      found.errors.push(message.text());
  });
  page.on("pageerror", (error) => found.errors.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(PAGE_URL) && !/^(blob|data):/.test(request.url()))
      found.outside.push(request.url());
  });

  const answer = await page.goto(`${PAGE_URL}/`);
  found.policy = answer.headers()["content-security-policy"];
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await check(page, "sign in");
  await signIn(page, POLICY, "bm9uc2Vuc2U=");
  await page.locator("#notice", { hasText: "no policy with this key" }).waitFor();
  await signIn(page, POLICY, KEY);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.getByText("room-1", { exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-label=Lines] table").textContent.includes("%"));
  await check(page, "overview");
  found.cookies = (await context.cookies()).map(({ name, httpOnly, secure, sameSite }) =>
    ({ name, httpOnly, secure, sameSite }));

  // a job, from its preview to its end
  await page.getByRole("link", { name: "New job" }).click();
  await page.locator("#job-id").fill("from-the-page");
  await page.locator("#condition").fill("tags.floor = 3");
  await page.locator("#job-method").fill("setComfort");
  await page.locator("#content").fill('{"setpoint": 21.5}');
  await check(page, "new job");
  await page.getByRole("button", { name: "Preview the job" }).click();
  found.preview = await page.locator("#preview").textContent();
  found.plan = await page.locator("dialog pre").textContent();
  await picture(page, "page-preview");
  await page.getByRole("button", { name: "Submit it" }).click();
  await page.getByRole("heading", { name: "from-the-page" }).waitFor();
  await page.locator("#job-status", { hasText: "running" }).waitFor();
  found.progress = [];
  for (let last = -1; last < 1;) {
    const part = await page.evaluate(() => { const bar = document.getElementById("progress"); return bar.value / bar.max; });
    if (part !== last)
      found.progress.push(last = part);
    if (found.progress.length === 3)
      await picture(page, "page-job");
    await page.waitForTimeout(20);
  }
  await page.locator("#job-status", { hasText: "completed" }).waitFor();
  await page.getByText("setpoint verified 21.5").first().waitFor();
  await check(page, "job");
  await page.locator("#status").selectOption("failed");
  await page.getByText("DeviceTimeout").first().waitFor();
  found.failed = await page.locator("[aria-label=Outcomes] tbody tr").count();
  await page.locator("#status").selectOption("all");
  const [download] = await Promise.all([page.waitForEvent("download"),
    page.getByRole("button", { name: "Download as CSV" }).click()]);
  found.csv = require("fs").readFileSync(await download.path(), "utf8");

  // one that is cancelled
  await page.getByRole("link", { name: "New job" }).click();
  await page.locator("#job-id").fill("to-be-cancelled");
  await page.locator("#job-method").fill("crawl");
  await page.getByRole("button", { name: "Preview the job" }).click();
  await page.getByRole("button", { name: "Submit it" }).click();
  await page.locator("#job-status", { hasText: "running" }).waitFor();
  await page.getByRole("button", { name: "Cancel this job" }).click();
  await page.getByRole("button", { name: "Cancel the job" }).click();
  await page.locator("#job-status", { hasText: "cancelled" }).waitFor();
  await page.reload(); // all records as they stay
  await page.locator("[aria-label=Outcomes] tbody tr").nth(11).waitFor();
  await page.locator("#status").selectOption("canceled");
  found.canceled = await page.locator("[aria-label=Outcomes] tbody tr").count();

  await page.goto(`${PAGE_URL}/#/`);
  await page.getByText("room-12", { exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-label=Lines] table").textContent.includes("%"));
  await picture(page, "page-overview");

  // a device: read it, call it
  await page.goto(`${PAGE_URL}/#/device/room-2`);
  await page.getByRole("heading", { name: "room-2" }).waitFor();
  await page.getByRole("button", { name: "Read all now" }).click();
  await page.locator("[aria-label=Points] tr", { hasText: "setpoint" }).getByText("21.5").waitFor();
  await page.locator("#method").selectOption("setComfort");
  await page.locator("#arg-setpoint").fill("19");
  await page.getByRole("button", { name: "Preview the call" }).click();
  await page.getByRole("button", { name: "Call it" }).click();
  await page.locator("#call-result", { hasText: "status 200" }).waitFor();
  await check(page, "device");
  await picture(page, "page-device");
  await page.locator("#arg-setpoint").fill("99");
  await page.getByRole("button", { name: "Preview the call" }).click();
  await page.locator("#notice", { hasText: "OutOfRange" }).waitFor();

  // on a phone
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${PAGE_URL}/#/job/from-the-page`);
  await page.locator("#job-status").waitFor();
  await page.getByText("DeviceTimeout").first().waitFor();
  await check(page, "job on a phone");
  await picture(page, "page-phone");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();

  // who may only read finds nothing to change
  await signIn(page, "reader", process.env.READER_KEY);
  await page.getByText("read-only").waitFor();
  await page.goto(`${PAGE_URL}/#/device/room-2`);
  await page.getByRole("heading", { name: "room-2" }).waitFor();
  found.reader = { calls: await page.getByRole("button", { name: "Preview" }).count(),
    newJob: await page.getByRole("link", { name: "New job" }).isVisible() };
  await page.emulateMedia({ colorScheme: "dark" });
  await check(page, "device in the dark");
  await browser.close();
}

main().catch((error) => { found.errors.push(String(error)); }).finally(() => {
  console.log(JSON.stringify(found));
  process.exit(0);
});
