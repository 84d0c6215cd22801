// The frontend's process: Next's server, with logs as JSON lines and a stop that drops nothing.

import http from "node:http";

import { release } from "../lib/release";
import { logger, takeConsole } from "./log";
import { Metrics } from "./metrics";
import { type Settings, WrongSetting, read } from "./settings";
import { endConnectionsWhileDraining, stop } from "./stop";

// Longer than the proxy keeps an idle connection, so that it is never this side that closes one
// just when a request is sent on it.
const KEEP_ALIVE_MS = 65_000;

const log = logger({ service: "frontend", release: release().version });

function main(): void {
  takeConsole(log);
  let settings: Settings;
  try {
    settings = read(process.env);
  } catch (error) {
    if (!(error instanceof WrongSetting)) throw error;
    log("error", error.message);
    process.exit(2);
  }
  const metrics = new Metrics(release());
  const server = nextServer(settings, metrics);
  server.then(endConnectionsWhileDraining);
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      log("info", `${signal}: serving for ${settings.drainSeconds} s more`);
      void server
        .then((one) => stop(one, settings))
        .then((all) => {
          log(all ? "info" : "warning", all ? "stopped" : "stopped with requests unanswered");
          process.exit(0);
        });
    });
  }
}

/** Start Next's own server and return what it listens with, which it keeps to itself. */
function nextServer(settings: Settings, metrics: Metrics): Promise<http.Server> {
  process.env.HOSTNAME = settings.host;
  process.env.PORT = String(settings.port);
  process.env.KEEP_ALIVE_TIMEOUT = String(KEEP_ALIVE_MS);
  process.env.NEXT_MANUAL_SIG_HANDLE = "1";
  return new Promise((resolve) => {
    const create = http.createServer;
    http.createServer = ((listener: http.RequestListener) => {
      http.createServer = create;
      const server = create(metrics.before(listener));
      metrics.count(server);
      resolve(server);
      return server;
    }) as typeof create;
    // Beside it in the built output; not there when this is compiled.
    require("../server.js");
  });
}

main();
