import assert from "node:assert/strict";
import { test } from "node:test";

import { release } from "../lib/release";
import { WrongSetting, read } from "../server/settings";

test("what is not set has a value that serves", () => {
  assert.deepEqual(read({}), {
    host: "127.0.0.1",
    port: 3000,
    drainSeconds: 5,
    gracefulSeconds: 20,
  });
});

test("what the job sets is taken", () => {
  const environ = {
    FLOWREX_LISTEN: "[::1]:8080",
    FLOWREX_DRAIN_SECONDS: "0",
    FLOWREX_GRACEFUL_SECONDS: "7",
  };
  const expected = { host: "::1", port: 8080, drainSeconds: 0, gracefulSeconds: 7 };
  assert.deepEqual(read(environ), expected);
});

for (const listen of ["3000", ":3000", "host:", "host:99999", "host:http"]) {
  test(`${listen} is no place to listen`, () => {
    assert.throws(() => read({ FLOWREX_LISTEN: listen }), {
      message: `FLOWREX_LISTEN is "${listen}"; expected host:port`,
    });
  });
}

for (const seconds of ["-1", "1.5", "5s", "1e9"]) {
  test(`${seconds} are no whole seconds`, () => {
    assert.throws(() => read({ FLOWREX_DRAIN_SECONDS: seconds }), WrongSetting);
  });
}

test("an instance knows its release and its environment, or says that it does not", () => {
  const environ = { FLOWREX_RELEASE: "1.2.3", FLOWREX_ENVIRONMENT: "prod" };
  assert.deepEqual(release(environ), { version: "1.2.3", environment: "prod" });
  assert.deepEqual(release({}), { version: "unknown", environment: "unknown" });
});
