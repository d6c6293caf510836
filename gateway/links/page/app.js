// The status page: looks through the API that every client has, and changes nothing without a
// preview and a confirmation. Everything shown is put in as text, never as HTML.
"use strict";

const VERSION = "?api-version=2021-04-12";
const ENDED = ["completed", "failed", "cancelled"];
const session = { rights: [], csrf: null, local: false };
let events = null;
let leave = []; // what the page that is shown wants done when it goes

// --- small tools ---------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);

// el("td", { class: "number" }, "3", another)
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on"))
      made.addEventListener(key.slice(2), value);
    else if (value === true)
      made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const link = (hash, text) => el("a", { href: hash }, text);
const may = (right) => session.rights.includes(right);
const path = (...parts) => "/" + parts.map(encodeURIComponent).join("/");

function text(value) {
  if (value === undefined || value === null)
    return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function time(iso) {
  if (!iso || iso.startsWith("0001"))
    return "";
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  return el("time", { datetime: iso, title: iso },
    today ? date.toLocaleTimeString() : date.toLocaleString());
}

function seconds(from, to) {
  return from && to ? `${((new Date(to) - new Date(from)) / 1000).toFixed(2)} s` : "";
}

// A sign and a word beside the colour: who sees no colour sees the state.
const SIGNS = {
  online: ["good", "\u25CF"], up: ["good", "\u25CF"], completed: ["good", "\u2714"],
  offline: ["bad", "\u25B2"], down: ["bad", "\u25B2"], failed: ["bad", "\u2718"],
  running: ["warn", "\u25B6"], scheduled: ["", "\u25F7"], queued: ["", "\u25F7"],
  cancelled: ["warn", "\u25A0"], canceled: ["warn", "\u25A0"], claimed: ["bad", "\u25B2"],
};

function state(name) {
  const [tone, sign] = SIGNS[name] || ["", "\u25CB"];
  return el("span", { class: `state ${tone}` }, el("span", { "aria-hidden": "true" }, sign + " "), name);
}

// A device that another gateway names as its own is left to that one.
function stateOf(own) {
  return own.claimedBy ? el("span", {}, state("claimed"), ` by ${own.claimedBy}`) : state(own.state);
}

function table(caption, heads, rows, empty) {
  return el("div", { class: "wide" }, el("table", {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map(([name, kind]) =>
      el("th", { scope: "col", class: kind }, name)))),
    el("tbody", {}, rows.length ? rows
      : el("tr", {}, el("td", { colspan: heads.length }, empty || "none")))));
}

const row = (...cells) => el("tr", {}, cells.map((cell) =>
  cell instanceof Node && cell.nodeName === "TD" ? cell : el("td", {}, cell === undefined ? "" : cell)));
const cell = (kind, value) => el("td", { class: kind }, value);

function field(id, name, input, hint) {
  input.id = id;
  return el("div", {}, el("label", { for: id }, name, hint ? el("small", {}, " " + hint) : null), input);
}

function tell(message) {
  $("notice").textContent = message || "";
}

class Refused extends Error {}

// The body of an answer; of a list, all its pages.
async function ask(method, where, body) {
  const list = [];
  for (let mark = null; ;) {
    const headers = { Accept: "application/json" };
    if (body !== undefined)
      headers["Content-Type"] = "application/json";
    if (session.csrf)
      headers["X-CSRF-Token"] = session.csrf;
    if (mark)
      headers["x-ms-continuation"] = mark;
    const answer = await fetch(where, {
      method, headers, credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body) });
    const content = await answer.json().catch(() => null);
    if (answer.status === 401) {
      signedOut();
      throw new Refused("Sign in again.");
    }
    if (!answer.ok)
      throw new Refused(content && content.Message ? content.Message.replace(/^ErrorCode:([^;]*);/, "$1: ")
        : `HTTP ${answer.status}`);
    if (!Array.isArray(content))
      return content;
    list.push(...content);
    mark = answer.headers.get("x-ms-continuation");
    if (!mark)
      return list;
  }
}

const query = (sql) => ask("POST", "/devices/query" + VERSION, { query: sql });
const quoted = (value) => "'" + value.replace(/[\\']/g, "\\$&") + "'";

// Runs what a button does: it cannot be pressed twice, and what goes wrong is said.
function doing(button, work) {
  return async (event) => {
    event.preventDefault();
    tell("");
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      tell(error.message);
    } finally {
      button.disabled = false;
    }
  };
}

function button(name, work, main) {
  const made = el("button", { type: "button", class: main ? "main" : null }, name);
  made.addEventListener("click", doing(made, work));
  return made;
}

// Resolves to true when the person agrees.
function confirmed(title, action, ...content) {
  return new Promise((resolve) => {
    const close = (answer) => { dialog.close(); dialog.remove(); resolve(answer); };
    const dialog = el("dialog", { "aria-labelledby": "confirm-title" },
      el("h2", { id: "confirm-title" }, title), ...content,
      el("p", { class: "row" },
        el("button", { type: "button", class: "main", id: "confirm", onclick: () => close(true) }, action),
        el("button", { type: "button", onclick: () => close(false) }, "Back")));
    dialog.addEventListener("cancel", () => close(false));
    document.body.append(dialog);
    dialog.showModal();
  });
}

// --- sign in -------------------------------------------------------------------------------

function signedOut() {
  session.rights = [];
  session.csrf = null;
  if (events)
    events.close();
  events = null;
  frame();
  show(signIn);
}

async function readSession(answer) {
  Object.assign(session, answer || await (await fetch("/jobgate/v1/session")).json());
  frame();
}

function frame() {
  $("pages").hidden = !may("read");
  $("new-job").hidden = !may("job");
  $("gateway").textContent = session.gateway && may("read") ? session.gateway : "";
  $("who").textContent = !may("read") ? "" : session.local ? "on this machine"
    : `${session.policy}${session.rights.length === 1 ? ", read-only" : ""}`;
  $("signout").hidden = session.local || !may("read");
}

async function signIn(main) {
  const policy = el("input", { autocomplete: "username", required: true });
  const key = el("input", { type: "password", autocomplete: "current-password", required: true });
  const go = el("button", { class: "main" }, "Sign in");
  const form = el("form", {}, field("policy", "Policy", policy),
    field("key", "Key", key, "a line of the policy's key file"), el("p", {}, go));
  form.addEventListener("submit", doing(go, async () => {
    const answer = await fetch("/jobgate/v1/signin", { method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ policy: policy.value, key: key.value }) });
    const content = await answer.json();
    if (!answer.ok)
      throw new Refused(content.Message.replace(/^ErrorCode:[^;]*;/, ""));
    await readSession(content);
    open();
  }));
  main.replaceChildren(el("h1", {}, "Sign in"),
    session.why === "clock not set"
      ? el("p", { class: "warn" }, "The gateway's clock is not set: nobody can sign in yet.") : "", form);
}

// --- live ----------------------------------------------------------------------------------

const listeners = new Set();

function listen(hear) {
  listeners.add(hear);
  leave.push(() => listeners.delete(hear));
}

function watch() {
  if (events || !may("read"))
    return;
  events = new EventSource("/events");
  for (const kind of ["outcome", "share", "state", "progress"])
    events.addEventListener(kind, (event) => {
      const content = JSON.parse(event.data);
      for (const hear of listeners)
        hear(kind, content);
    });
  events.onopen = () => { $("live").textContent = "Live."; };
  events.onerror = () => { $("live").textContent = "Not live: connecting again."; };
}

// Calls at most once in so many milliseconds, and once at the end.
function calmly(ms, work) {
  let timer = null;
  leave.push(() => clearTimeout(timer));
  return () => { timer = timer || setTimeout(() => { timer = null; work().catch((e) => tell(e.message)); }, ms); };
}

// --- overview ------------------------------------------------------------------------------

async function overview(main) {
  const lines = el("section", { "aria-label": "Lines" });
  const list = el("section", { "aria-label": "Devices" });
  const filter = el("input", { type: "search", autocomplete: "off" });
  let before = null, devices = [];

  const showLines = (status) => {
    const now = performance.now();
    const load = (line, index) => {
      if (!before || line.busySeconds === undefined)
        return "";
      const part = (line.busySeconds - before.lines[index].busySeconds) / ((now - before.at) / 1000);
      return `${Math.max(0, Math.min(100, Math.round(part * 100)))} %`;
    };
    lines.replaceChildren(el("h2", {}, "Lines"), table(
      "Load over the last seconds; requests and errors since the start",
      [["Line"], ["State"], ["Load", "number"], ["Waiting", "number"], ["Requests", "number"], ["Errors", "number"]],
      status.lines.map((line, index) => row(line.name, el("td", {}, state(line.state), line.state === "down" ? ` ${line.why}` : ""),
        cell("number", load(line, index)), cell("number", line.waiting), cell("number", line.operations),
        cell("number", line.troubles)))));
    before = { lines: status.lines, at: now };
    $("clock").textContent = `jobgate ${status.version}, ${status.devices.online} of ${status.devices.count} devices online` +
      (status.clockTrusted ? "." : "; the clock is not trusted: scheduled jobs wait.");
  };
  const showDevices = () => {
    const wanted = filter.value.toLowerCase();
    const found = devices.filter((device) =>
      `${device.deviceId} ${device.jobgate.line} ${device.jobgate.claimedBy ? "claimed" : device.jobgate.state} ${device.jobgate.profile}`.toLowerCase().includes(wanted));
    list.replaceChildren(table(`${found.length} of ${devices.length} devices`,
      [["Device"], ["State"], ["Line", "lesser"], ["Unit", "number lesser"], ["Last contact"], ["Last outcome"]],
      found.map((device) => {
        const own = device.jobgate, last = own.lastOutcome;
        return row(link("#/device/" + encodeURIComponent(device.deviceId), device.deviceId), stateOf(own),
          cell("lesser", own.line), cell("number lesser", own.unit), time(own.lastContact),
          last ? el("td", {}, state(last.status || (last.error ? "failed" : "completed")),
            last.error ? ` ${last.error.code}` : "") : "");
      })));
  };
  const readStatus = async () => showLines(await ask("GET", "/jobgate/v1/status"));
  const readDevices = async () => { devices = await ask("GET", "/devices" + VERSION); showDevices(); };

  filter.addEventListener("input", showDevices);
  main.replaceChildren(el("h1", {}, "Overview"), lines, el("h2", {}, "Devices"),
    field("filter", "Filter", filter, "part of a name, line, profile or state"), list);
  await Promise.all([readStatus(), readDevices()]);
  const again = calmly(500, readDevices);
  listen((kind) => { if (kind === "state" || kind === "outcome") again(); });
  const timer = setInterval(() => readStatus().catch((error) => tell(error.message)), 3000);
  leave.push(() => clearInterval(timer));
}

// --- jobs ----------------------------------------------------------------------------------

function progressOf(job) {
  const counts = job.deviceJobStatistics;
  if (!counts)
    return "";
  const over = counts.succeededCount + counts.failedCount;
  return `${over} of ${counts.deviceCount}${counts.failedCount ? `, ${counts.failedCount} failed` : ""}`;
}

function actionOf(job) {
  return job.cloudToDeviceMethod ? job.cloudToDeviceMethod.methodName : "twin";
}

async function jobs(main) {
  const list = el("section", { "aria-label": "Jobs" });
  const read = async () => {
    const found = await ask("GET", "/jobs/v2/query" + VERSION);
    list.replaceChildren(table(`${found.length} jobs, newest first`,
      [["Job"], ["Status"], ["Devices"], ["Action", "lesser"], ["Created"], ["Ended", "lesser"]],
      found.map((job) => row(link("#/job/" + encodeURIComponent(job.jobId), job.jobId), state(job.status),
        progressOf(job), cell("lesser", actionOf(job)), time(job.createdTime), cell("lesser", time(job.endTime)))),
      "no job yet"));
  };
  main.replaceChildren(el("h1", {}, "Jobs"), list);
  await read();
  const again = calmly(300, read);
  listen((kind) => { if (kind === "share") again(); });
}

function resultsOf(record) {
  const outcome = record.outcome || {};
  const payload = outcome.deviceMethodResponse ? outcome.deviceMethodResponse.payload : outcome;
  const parts = Object.entries(payload && payload.writes || {}).map(([name, write]) =>
    `${name} ${write.result}${write.value === undefined ? "" : " " + text(write.value)}`);
  for (const [name, value] of Object.entries(payload && payload.values || {}))
    if (!payload.writes || !payload.writes[name])
      parts.push(`${name}=${text(value)}`);
  return parts.join(", ");
}

function csv(records) {
  const columns = [["deviceId", (r) => r.deviceId], ["status", (r) => r.status], ["attempts", (r) => r.attempts],
    ["startTimeUtc", (r) => r.startTimeUtc], ["endTimeUtc", (r) => r.endTimeUtc],
    ["errorCode", (r) => r.error && r.error.code], ["errorDescription", (r) => r.error && r.error.description],
    ["results", resultsOf]];
  // A text that a spreadsheet would take for a formula is told to be a text.
  const quote = (value) => `"${text(value).replace(/^[=+\-@\t\r\n]/, "'$&").replace(/"/g, '""')}"`;
  return [columns.map(([name]) => quote(name)), ...records.map((record) =>
    columns.map(([, of]) => quote(of(record))))].map((cells) => cells.join(",")).join("\r\n") + "\r\n";
}

async function job(main, id) {
  const head = el("section", { "aria-label": "Job" });
  const list = el("section", { "aria-label": "Outcomes" });
  const bar = el("progress", { id: "progress", "aria-label": "Tasks that are over" });
  const status = el("select", {}, ["all", "scheduled", "running", "completed", "failed", "canceled"].map((name) =>
    el("option", { value: name }, name)));
  const part = el("input", { type: "search", autocomplete: "off" });
  const records = new Map();
  let shown = null;

  // A task that was cancelled counts as failed, and its error says why.
  const fits = (record) => [record.status, "all"].includes(status.value) ||
    (status.value === "canceled" && record.error && record.error.code === "Canceled");
  const selected = () => [...records.values()].filter((record) => fits(record) &&
    `${record.deviceId} ${record.error ? record.error.code : ""}`.toLowerCase().includes(part.value.toLowerCase()));
  const showRecords = () => {
    const found = selected();
    list.replaceChildren(table(`${found.length} of ${records.size} devices`,
      [["Device"], ["Status"], ["Tries", "number lesser"], ["Time", "number lesser"], ["Result"]],
      found.map((record) => row(link("#/device/" + encodeURIComponent(record.deviceId), record.deviceId),
        state(record.status), cell("number lesser", text(record.attempts)),
        cell("number lesser", seconds(record.startTimeUtc, record.endTimeUtc)),
        record.error ? `${record.error.code}: ${record.error.description}` : resultsOf(record)))));
  };
  const showJob = () => {
    const counts = shown.deviceJobStatistics || { deviceCount: 0, succeededCount: 0, failedCount: 0 };
    bar.max = Math.max(1, counts.deviceCount);
    bar.value = ENDED.includes(shown.status) ? bar.max : counts.succeededCount + counts.failedCount;
    head.replaceChildren(bar, el("dl", {},
      el("dt", {}, "Status"), el("dd", { id: "job-status" }, state(shown.status)),
      el("dt", {}, "Devices"), el("dd", { id: "job-progress", "aria-live": "polite" }, progressOf(shown)),
      el("dt", {}, "For"), el("dd", {}, shown.queryCondition),
      el("dt", {}, "Does"), el("dd", {}, shown.cloudToDeviceMethod
        ? `${shown.cloudToDeviceMethod.methodName} ${text(shown.cloudToDeviceMethod.payload)}`
        : text(shown.updateTwin)),
      el("dt", {}, "Start, end"), el("dd", {}, time(shown.startTime), " \u2013 ", time(shown.endTime)),
      shown.statusMessage ? [el("dt", {}, "Note"), el("dd", {}, shown.statusMessage)] : []),
    may("job") && !ENDED.includes(shown.status) ? button("Cancel this job\u2026", async () => {
      if (await confirmed(`Cancel ${id}?`, "Cancel the job",
        el("p", {}, "Devices that have not begun are left alone; those that have begun stop at their next step.")))
        await ask("POST", path("jobs", "v2", id, "cancel") + VERSION);
    }) : "");
  };
  const readJob = async () => { shown = await ask("GET", path("jobs", "v2", id) + VERSION); showJob(); };
  const readRecords = async () => {
    for (const record of await query(`SELECT * FROM devices.jobs WHERE devices.jobs.jobId = ${quoted(id)}`))
      records.set(record.deviceId, record);
    showRecords();
  };
  const download = () => {
    const address = URL.createObjectURL(new Blob([csv(selected())], { type: "text/csv" }));
    const made = el("a", { href: address, download: `${id}.csv` });
    made.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };

  status.addEventListener("change", showRecords);
  part.addEventListener("input", showRecords);
  main.replaceChildren(el("h1", {}, id), head, el("h2", {}, "Outcomes"),
    el("div", { class: "row" }, field("status", "Status", status), field("part", "Device or error", part),
      button("Download as CSV", async () => download())), list);
  await Promise.all([readJob(), readRecords()]);
  const again = calmly(150, async () => { await readJob(); showRecords(); });
  const all = calmly(700, readRecords);
  listen((kind, content) => {
    if (content.jobId !== id)
      return;
    if (kind === "outcome" && content.deviceId)
      records.set(content.deviceId, content);
    again();
    if (kind !== "outcome")
      all();
  });
}

// --- a plan, shown ---------------------------------------------------------------------------

function planView(plan) {
  const lines = [];
  for (const step of plan.steps) {
    const points = (step.points || []).map((each) =>
      each.value === undefined ? each.point : `${each.point} ${text(each.value)}`);
    lines.push(`${step.kind} ${points.join(", ")}`.trim());
    for (const frame of step.frames || [])
      lines.push(`    ${frame.for.padEnd(10)} ${frame.request}`);
  }
  return el("div", {},
    el("p", {}, `${plan.deviceId}: unit ${plan.unit} on line ${plan.line}, at least ${Math.round(plan.leastMs)} ms` +
      (plan.waitsMs ? `, of which ${Math.round(plan.waitsMs)} ms are waits.` : ".")),
    plan.refused.length ? el("p", { class: "bad" }, "Refused: " + plan.refused.map(text).join(", ")) : "",
    el("pre", { tabindex: "0", "aria-label": "The plan" }, lines.join("\n")));
}

function parsed(value) {
  if (value.trim() === "")
    return undefined;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function inputFor(argument) {
  if (argument.values)
    return el("select", {}, argument.default === undefined ? null : el("option", { value: "" }, `${text(argument.default)} (default)`),
      argument.values.map((name) => el("option", { value: JSON.stringify(name) }, name)));
  return el("input", { autocomplete: "off", placeholder: argument.default === undefined ? "" : `${text(argument.default)} (default)` });
}

const limits = (point) => [point.unit, point.min !== undefined ? `from ${point.min}` : "",
  point.max !== undefined ? `to ${point.max}` : ""].filter(Boolean).join(" ");

// --- a device ------------------------------------------------------------------------------

async function device(main, id) {
  const points = el("section", { "aria-label": "Points" });
  const result = el("section", { "aria-label": "Result", "aria-live": "polite" });
  let shown = await ask("GET", path("jobgate", "v1", "devices", id));
  const fresh = {};

  const showPoints = () => points.replaceChildren(table(`${shown.points.length} points; values as they were seen last`,
    [["Point"], ["Value", "number"], ["Unit"], ["Access", "lesser"]],
    shown.points.map((point) => row(point.name,
      cell("number", text(fresh[point.name] !== undefined ? fresh[point.name] : point.value)),
      point.unit || "", cell("lesser", `${point.readable ? "read" : ""}${point.readable && point.writable ? ", " : ""}${point.writable ? "write" : ""}`)))));
  const read = async () => {
    const answer = await ask("POST", path("jobgate", "v1", "devices", id, "read"), {});
    Object.assign(fresh, answer.payload && answer.payload.values);
    if (answer.payload && answer.payload.error)
      tell(`${answer.payload.error.code}: ${answer.payload.error.description}`);
    showPoints();
  };

  const own = shown.jobgate;
  main.replaceChildren(el("h1", {}, id), el("dl", {},
    el("dt", {}, "State"), el("dd", { id: "device-state" }, stateOf(own)),
    el("dt", {}, "Where"), el("dd", {}, `unit ${own.unit} on line ${own.line}, ${own.profile}`),
    el("dt", {}, "Last contact"), el("dd", {}, time(own.lastContact) || "never"),
    el("dt", {}, "Tags"), el("dd", {}, text(shown.tags))),
  el("h2", {}, "Points"), button("Read all now", read), points,
  may("call") && shown.methods.length ? callForm(shown, result, (values) => { Object.assign(fresh, values); showPoints(); })
    : "", result);
  showPoints();
  const again = calmly(400, async () => {
    shown = await ask("GET", path("jobgate", "v1", "devices", id));
    $("device-state").replaceChildren(stateOf(shown.jobgate));
    showPoints();
  });
  listen((kind, content) => { if (content.deviceId === id) again(); });
}

function callForm(shown, result, take) {
  const id = shown.deviceId;
  const method = el("select", {}, shown.methods.map((each) =>
    el("option", { value: each.name }, each.title ? `${each.name}: ${each.title}` : each.name)));
  const inputs = el("div", {});
  const current = () => shown.methods.find((each) => each.name === method.value);
  const fill = () => inputs.replaceChildren(...current().arguments.map((argument) =>
    field("arg-" + argument.name, argument.name, inputFor(argument), limits(argument))));
  const go = el("button", { class: "main" }, "Preview the call\u2026");
  const form = el("form", {}, field("method", "Method", method), inputs, el("p", {}, go));

  method.addEventListener("change", fill);
  fill();
  form.addEventListener("submit", doing(go, async () => {
    const payload = {};
    for (const argument of current().arguments) {
      const value = parsed($("arg-" + argument.name).value);
      if (value !== undefined)
        payload[argument.name] = value;
    }
    const body = { methodName: method.value, payload };
    const plan = await ask("POST", path("jobgate", "v1", "devices", id, "plan"), body);
    if (!await confirmed(`Call ${method.value} of ${id}?`, "Call it", planView(plan),
      current().repeatable ? "" : el("p", {}, "It is not repeated, whatever becomes of it.")))
      return;
    const answer = await ask("POST", path("twins", id, "methods") + VERSION, { ...body, responseTimeoutInSeconds: 60 });
    const error = answer.payload && answer.payload.error;
    take(answer.payload && answer.payload.values);
    result.replaceChildren(el("h2", {}, "Result"),
      el("p", { id: "call-result" }, state(error ? "failed" : "completed"),
        error ? ` ${error.code}: ${error.description}` : ` status ${answer.status}`),
      el("pre", { tabindex: "0" }, JSON.stringify(answer.payload, null, 1)));
  }));
  return el("section", { "aria-label": "Call" }, el("h2", {}, "Call a method"), form);
}

// --- a new job -----------------------------------------------------------------------------

function proposedId() {
  return "page-" + new Date().toISOString().replace(/[-:]|\..*/g, "").toLowerCase();
}

async function newJob(main) {
  const id = el("input", { value: proposedId(), autocomplete: "off", required: true });
  const condition = el("input", { value: "*", autocomplete: "off", required: true });
  const kind = el("select", {}, el("option", { value: "method" }, "call a method"),
    el("option", { value: "twin" }, "set desired properties"));
  const method = el("input", { autocomplete: "off" });
  const content = el("textarea", { spellcheck: "false" });
  const start = el("input", { type: "datetime-local" });
  const limit = el("input", { type: "number", min: 1, max: 604800, value: 3600 });
  const go = el("button", { class: "main" }, "Preview the job\u2026");
  const methodField = field("job-method", "Method", method);
  const form = el("form", {}, field("job-id", "Job id", id),
    field("condition", "For devices where", condition, "such as tags.floor = 3, or * for all"),
    field("kind", "Does", kind), methodField,
    field("content", "JSON", content, "the method's arguments, or the properties"),
    field("start", "Start", start, "empty: now"), field("limit", "Seconds at most", limit), el("p", {}, go));

  const document_ = () => {
    const value = content.value.trim() === "" ? undefined : JSON.parse(content.value);
    const made = { jobId: id.value, queryCondition: condition.value, maxExecutionTimeInSeconds: Number(limit.value) };
    if (start.value)
      made.startTime = new Date(start.value).toISOString();
    if (kind.value === "method")
      return { ...made, type: "scheduleDeviceMethod", cloudToDeviceMethod: { methodName: method.value, payload: value || null } };
    return { ...made, type: "scheduleUpdateTwin", updateTwin: { etag: "*", properties: { desired: value || {} } } };
  };

  kind.addEventListener("change", () => { methodField.hidden = kind.value !== "method"; });
  form.addEventListener("submit", doing(go, async () => {
    const made = document_();
    const where = condition.value.trim() === "*" ? "" : ` WHERE ${condition.value}`;
    const found = await query(`SELECT deviceId FROM devices${where}`);
    if (!found.length)
      throw new Refused("No device matches this condition.");
    const plan = await ask("POST", path("jobgate", "v1", "devices", found[0].deviceId, "plan"),
      made.updateTwin ? { desired: made.updateTwin.properties.desired } : made.cloudToDeviceMethod);
    if (!await confirmed(`Submit ${made.jobId}?`, "Submit it",
      el("p", { id: "preview" }, `${found.length} devices: ${found.slice(0, 12).map((each) => each.deviceId).join(", ")}${found.length > 12 ? " \u2026" : ""}`),
      el("p", {}, "What the first of them will be sent:"), planView(plan)))
      return;
    await ask("PUT", path("jobs", "v2", made.jobId) + VERSION, made);
    location.hash = "#/job/" + encodeURIComponent(made.jobId);
  }));
  main.replaceChildren(el("h1", {}, "New job"), form);
}

// --- pages ---------------------------------------------------------------------------------

const PAGES = { "": overview, jobs, job, device, new: newJob };

async function show(page, ...words) {
  for (const work of leave)
    work();
  leave = [];
  tell("");
  const main = $("main");
  main.setAttribute("aria-busy", "true");
  try {
    await page(main, ...words);
  } catch (error) {
    tell(error.message);
  }
  main.removeAttribute("aria-busy");
  document.title = `${main.querySelector("h1") ? main.querySelector("h1").textContent + " \u2013 " : ""}jobgate`;
}

function open() {
  const [name, ...words] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (!may("read"))
    return show(signIn);
  for (const each of document.querySelectorAll("nav a"))
    if (each.hash === (name ? `#/${name}` : "#/"))
      each.setAttribute("aria-current", "page");
    else
      each.removeAttribute("aria-current");
  watch();
  return show(PAGES[name] || overview, ...words);
}

$("signout").addEventListener("click", async () => {
  await ask("POST", "/jobgate/v1/signout", {}).catch(() => {});
  signedOut();
});
window.addEventListener("hashchange", open);
readSession().then(open, (error) => tell(error.message));
