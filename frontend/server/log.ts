// Logs as JSON lines, what Next and others print among them.

import { format } from "node:util";

export type Level = "debug" | "info" | "warning" | "error";
export type Log = (level: Level, message: string) => void;

// Next dresses its lines up for a terminal.
const DRESS = /\u001b\[[0-9;]*m|(?<=^(?:\s|\u001b\[[0-9;]*m)*)[▲✓○⚠⨯-]\s+/g;

/**
 * Return what writes a line.
 *
 * @param constant what stands in every line
 * @param write gets each line
 */
export function logger(
  constant: Readonly<Record<string, string>>,
  write: (line: string) => void = (line) => void process.stdout.write(line),
  now: () => Date = () => new Date(),
): Log {
  return (level, message) => {
    const text = message.replace(DRESS, "").trim();
    if (!text) return;
    write(`${JSON.stringify({ time: now().toISOString(), level, message: text, ...constant })}\n`);
  };
}

/** Let everything that is printed by `console` be such a line. */
export function takeConsole(log: Log): void {
  const levels = {
    debug: "debug",
    info: "info",
    log: "info",
    warn: "warning",
    error: "error",
  } as const;
  for (const [name, level] of Object.entries(levels)) {
    console[name as keyof typeof levels] = (...args: unknown[]) => log(level, format(...args));
  }
}
