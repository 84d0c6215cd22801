// What the page says of the API, whatever the API does.

import assert from "node:assert/strict";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";

import { askApi } from "../lib/api";

let server: Server | undefined;

async function answering(status: number, body: string): Promise<string> {
  const made = createServer((request, response) => {
    response.statusCode = request.url === "/api/v1/version" ? status : 404;
    response.end(body);
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

test("an API that answers is named with its release", async () => {
  const address = await answering(200, '{"release": "1.2.3", "environment": "dev"}');
  assert.deepEqual(await askApi(address), { answers: true, version: "1.2.3" });
});

test("a release that is not told is no error", async () => {
  const address = await answering(200, "[]");
  assert.deepEqual(await askApi(address), { answers: true, version: "unknown" });
});

test("a refusal is told by its status", async () => {
  const address = await answering(503, "maintenance");
  assert.deepEqual(await askApi(address), { answers: false, reason: "it answers 503" });
});

test("an answer that is no JSON, nobody and nonsense are all out of reach", async () => {
  const there = await answering(200, "<html>");
  for (const address of [there, "http://127.0.0.1:9", "no address"]) {
    assert.deepEqual(await askApi(address), { answers: false, reason: "it can't be reached" });
  }
});

test("silence ends with the timeout", async () => {
  const silent = createServer(() => undefined);
  server = silent;
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  assert.deepEqual(await askApi(address, 50), { answers: false, reason: "it takes too long" });
});

test("without an address nobody is asked", async () => {
  assert.deepEqual(await askApi(""), { answers: false, reason: "no address is set" });
});
