// What Prometheus reads, under the same names as the backend's, so that one analysis compares either.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

import type { Release } from "../lib/release";

const PATH = "/metrics";
// As the backend's, so that a quantile over either means the same.
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
// Consul's checks, which would hide how little traffic a canary has.
const UNCOUNTED = [PATH, "/api/health"];

export class Metrics {
  private readonly registry = new Registry();
  private readonly requests = new Counter({
    name: "http_requests_total",
    help: "Requests answered.",
    labelNames: ["method", "route", "status"],
    registers: [this.registry],
  });
  private readonly duration = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from a request's head to the end of its answer.",
    labelNames: ["method", "route"],
    buckets: BUCKETS_S,
    registers: [this.registry],
  });

  constructor(release: Release) {
    collectDefaultMetrics({ register: this.registry });
    const info = new Gauge({
      name: "flowrex_build_info",
      help: "Always 1; the labels say what runs.",
      labelNames: ["release", "environment"],
      registers: [this.registry],
    });
    info.set({ release: release.version, environment: release.environment }, 1);
  }

  /** Count every request that a server answers. */
  count(server: Server): void {
    server.prependListener("request", (request: IncomingMessage, response: ServerResponse) => {
      const path = pathOf(request);
      if (UNCOUNTED.some((one) => path === one || path.startsWith(`${one}/`))) return;
      const method = request.method ?? "";
      const route = routeOf(path);
      const observe = this.duration.startTimer({ method, route });
      // Not where the client went away: nobody has that answer.
      response.once("finish", () => {
        observe();
        this.requests.inc({ method, route, status: String(response.statusCode) });
      });
    });
  }

  /** Answer for the metrics, and leave the rest to a listener. */
  before(listener: RequestListener): RequestListener {
    return (request, response) => {
      if (pathOf(request) !== PATH) return listener(request, response);
      void this.registry.metrics().then((text) => {
        response.setHeader("Content-Type", this.registry.contentType);
        response.end(text);
      });
    };
  }
}

/** Return the part of the site that a path is in: few, whatever is asked for. */
export function routeOf(path: string): string {
  if (path === "/") return path;
  return path.startsWith("/_next/") ? "/_next" : "other";
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}
