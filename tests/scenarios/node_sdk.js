// Drives the official azure-iothub client: one JSON request a line in, one JSON answer a line out.
// {"on": "jobs"|"registry"|"service", "call": name, "args": [...]}; a text "date:..." is a Date.
// {"pages": {"on", "args"}} walks a query to its end; {"twin": id, "patch": {...}, "etag": text}
// reads a twin and updates it through the object that the client gives.
"use strict";
const fs = require("fs");
const https = require("https");
const path = require("path");
const readline = require("readline");

const hub = require(path.join(process.env.NODE_MODULES, "azure-iothub"));
const connection = process.env.CONNECTION_STRING;
const clients = {
  jobs: hub.JobClient.fromConnectionString(connection),
  registry: hub.Registry.fromConnectionString(connection),
  service: hub.Client.fromConnectionString(connection),
};

if (process.env.GATEWAY_PORT !== "443") { // the client knows no other port, but its agent does
  const agent = new https.Agent({ keepAlive: true, port: Number(process.env.GATEWAY_PORT) });
  const ca = fs.readFileSync(process.env.CA_FILE, "utf8");
  for (const name of Object.keys(clients))
    clients[name]._restApiClient.setOptions({ http: { agent }, ca });
}

const revive = (value) =>
  typeof value === "string" && value.startsWith("date:") ? new Date(value.slice(5)) : value;

// Each client packs the answer and the HTTP response in its own way.
function unpack(found) {
  for (const name of ["responseBody", "result", "jobStatus", "twin"])
    if (found && found[name] !== undefined)
      return found[name];
  return found;
}

async function pages({ on, args }) {
  const query = clients[on].createQuery(...args);
  const found = [];
  for (let token; found.length < 50;) {
    found.push(unpack(await query.next(token)).map((item) =>
      item.deviceId && item.properties ? shown(item) : item));
    token = query.continuationToken;
    if (!query.hasMoreResults)
      break;
  }
  return found;
}

const shown = ({ deviceId, etag, tags, properties }) =>
  ({ deviceId, etag, tags, properties: JSON.parse(JSON.stringify(properties)) });

async function twin(request) {
  const found = unpack(await clients.registry.getTwin(request.twin));
  if (request.etag)
    found.etag = request.etag;
  return shown(request.patch ? unpack(await found.update(request.patch)) : found);
}

async function answer(request) {
  if (request.pages)
    return pages(request.pages);
  if (request.twin)
    return twin(request);
  const { on, call, args } = request;
  return unpack(await clients[on][call](...args.map(revive)));
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let told;
    try {
      told = { ok: await answer(JSON.parse(line)) };
    } catch (error) {
      told = { error: { name: error.name, message: error.message,
                        status: error.response && error.response.statusCode,
                        body: error.responseBody } };
    }
    process.stdout.write(JSON.stringify(told) + "\n");
  }
  process.exit(0);
}

main();
