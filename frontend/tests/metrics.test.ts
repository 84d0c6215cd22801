// What Prometheus is told of the pages, and what it is not.

import assert from "node:assert/strict";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";

import { Metrics, routeOf } from "../server/metrics";

const servers: Server[] = [];
after(() => servers.forEach((one) => one.close()));

async function serving(): Promise<string> {
  const metrics = new Metrics({ version: "1.2.3", environment: "test" });
  const server = createServer(
    metrics.before((request, response) => {
      response.statusCode = request.url === "/broken" ? 500 : 200;
      response.end("page");
    }),
  );
  metrics.count(server);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function told(base: string): Promise<string> {
  const answer = await fetch(`${base}/metrics`);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  return answer.text();
}

test("each answer is counted, by its method, the part of the site and its status", async () => {
  const base = await serving();
  for (const path of ["/", "/?a=1", "/broken", "/_next/static/x.js"]) await fetch(base + path);
  await fetch(base, { method: "HEAD" });
  const text = await told(base);
  assert.match(text, /^http_requests_total\{method="GET",route="\/",status="200"\} 2$/m);
  assert.match(text, /^http_requests_total\{method="GET",route="other",status="500"\} 1$/m);
  assert.match(text, /^http_requests_total\{method="GET",route="\/_next",status="200"\} 1$/m);
  assert.match(text, /^http_requests_total\{method="HEAD",route="\/",status="200"\} 1$/m);
  assert.match(text, /^http_request_duration_seconds_count\{method="GET",route="\/"\} 2$/m);
});

test("checks and Prometheus itself are no traffic", async () => {
  const base = await serving();
  for (const path of ["/api/health", "/api/health/ready"]) await fetch(base + path);
  await told(base);
  assert.doesNotMatch(await told(base), /^http_requests_total\{/m);
});

test("it says which release runs, and how the process is", async () => {
  const text = await told(await serving());
  assert.match(text, /^flowrex_build_info\{release="1\.2\.3",environment="test"\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes \d+/m);
});

test("whatever is asked for, the parts of the site are few", () => {
  const paths = ["/", "/_next/static/a", "/_nextx", "/anything", "/metrics/", "/etc/passwd", ""];
  assert.deepEqual(new Set(paths.map(routeOf)), new Set(["/", "/_next", "other"]));
});
