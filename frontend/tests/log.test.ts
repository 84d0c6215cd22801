import assert from "node:assert/strict";
import { test } from "node:test";

import { logger } from "../server/log";

const NOON = new Date("2026-03-01T12:00:00Z");

function lines(...messages: string[]): unknown[] {
  const found: string[] = [];
  const log = logger({ service: "frontend" }, (line) => found.push(line), () => NOON);
  for (const message of messages) log("info", message);
  return found.map((line) => JSON.parse(line));
}

test("a line is one JSON document, whatever is in it", () => {
  const time = NOON.toISOString();
  assert.deepEqual(lines('two\nlines and a "quote"'), [
    { time, level: "info", message: 'two\nlines and a "quote"', service: "frontend" },
  ]);
});

test("a terminal's dress is taken off, and what is empty then is no line", () => {
  const found = lines("\u001b[1m ▲ Next.js 15\u001b[0m", " ✓ Ready", "", "  ");
  const messages = found.map((one) => (one as { message: string }).message);
  assert.deepEqual(messages, ["Next.js 15", "Ready"]);
});
