// What the job tells this process, read once at its start.

export interface Settings {
  host: string;
  port: number;
  /** Seconds for which it still serves after the stop signal. */
  drainSeconds: number;
  /** Seconds in which requests in flight may finish after that. */
  gracefulSeconds: number;
}

/** A setting that can't be used; the message says which, and what is expected. */
export class WrongSetting extends Error {}

type Environ = Readonly<Record<string, string | undefined>>;

/**
 * Read the settings.
 *
 * @throws WrongSetting
 */
export function read(environ: Environ): Settings {
  const listen = environ.FLOWREX_LISTEN || "127.0.0.1:3000";
  const found = /^(.+):([0-9]{1,5})$/.exec(listen);
  const port = Number(found?.[2]);
  if (!found?.[1] || port > 65535) {
    throw new WrongSetting(`FLOWREX_LISTEN is "${listen}"; expected host:port`);
  }
  return {
    host: found[1].replace(/^\[(.*)\]$/, "$1"),
    port,
    drainSeconds: seconds(environ, "FLOWREX_DRAIN_SECONDS", 5),
    gracefulSeconds: seconds(environ, "FLOWREX_GRACEFUL_SECONDS", 20),
  };
}

function seconds(environ: Environ, name: string, otherwise: number): number {
  const text = environ[name] || String(otherwise);
  if (!/^[0-9]{1,5}$/.test(text)) {
    throw new WrongSetting(`${name} is "${text}"; expected whole seconds`);
  }
  return Number(text);
}
