// A server that stops drops nothing, and ends in time all the same.

import assert from "node:assert/strict";
import { type IncomingMessage, type Server, createServer, get, Agent } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeEach, test } from "node:test";

import { endConnectionsWhileDraining, stop } from "../server/stop";

const MARK = Symbol.for("flowrex.draining");

beforeEach(() => {
  (globalThis as Record<symbol, unknown>)[MARK] = false;
});

async function listening(server: Server): Promise<string> {
  endConnectionsWhileDraining(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function ask(url: string, agent?: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer));
    }).on("error", reject);
  });
}

test("while it drains it serves, and ends each connection with its answer", async () => {
  const server = createServer((_request, response) => void response.end("here"));
  const url = await listening(server);
  const agent = new Agent({ keepAlive: true });
  assert.equal((await ask(url, agent)).headers.connection, "keep-alive");
  const stopped = stop(server, { drainSeconds: 1, gracefulSeconds: 5 });
  const answer = await ask(url, agent);
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers.connection, "close");
  assert.equal(await stopped, true);
  await assert.rejects(ask(url), { code: "ECONNREFUSED" });
});

test("a request that is under way is answered", async () => {
  const server = createServer((_request, response) => {
    setTimeout(() => response.end("late"), 300);
  });
  const url = await listening(server);
  const arrived = new Promise((resolve) => server.once("request", resolve));
  const begun = ask(url);
  await arrived;
  const stopped = stop(server, { drainSeconds: 0, gracefulSeconds: 5 });
  assert.equal((await begun).statusCode, 200);
  assert.equal(await stopped, true);
});

test("an idle connection does not hold it up", async () => {
  const server = createServer((_request, response) => void response.end("here"));
  const url = await listening(server);
  await ask(url, new Agent({ keepAlive: true }));
  assert.equal(await stop(server, { drainSeconds: 0, gracefulSeconds: 30 }), true);
});

test("a request that never ends is given up when the time is up, and that is told", async () => {
  const server = createServer(() => undefined);
  const url = await listening(server);
  const arrived = new Promise((resolve) => server.once("request", resolve));
  const cut = assert.rejects(ask(url), { code: "ECONNRESET" });
  await arrived;
  assert.equal(await stop(server, { drainSeconds: 0, gracefulSeconds: 1 }), false);
  await cut;
});
