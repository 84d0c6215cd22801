// How the server leaves without dropping a request: it says that it is not ready and goes on
// serving, then takes no new connection, and ends when the last answer is out.

import type { Server } from "node:http";

import { beginDraining, isDraining } from "../lib/draining";

// Node closes what is idle once, in `close`; what falls idle after that is looked for so often.
const SWEEP_MS = 100;

export interface Patience {
  /** Seconds for which it still serves. */
  drainSeconds: number;
  /** Seconds in which requests in flight may finish after that. */
  gracefulSeconds: number;
}

/**
 * Tell each client, from the stop signal on, that its connection ends with the answer. So the proxy
 * has none left that it could send a request on while it is being closed.
 */
export function endConnectionsWhileDraining(server: Server): void {
  server.prependListener("request", (_request, response) => {
    if (isDraining()) response.setHeader("Connection", "close");
  });
}

/**
 * Stop a server.
 *
 * @returns whether every request was answered; false where the time was up
 */
export async function stop(server: Server, patience: Patience): Promise<boolean> {
  beginDraining();
  await later(patience.drainSeconds * 1000);
  const closed = new Promise<boolean>((resolve) => server.close(() => resolve(true)));
  server.closeIdleConnections();
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const inTime = await Promise.race([
    closed,
    later(patience.gracefulSeconds * 1000).then(() => false),
  ]);
  clearInterval(sweep);
  server.closeAllConnections();
  return inTime;
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
