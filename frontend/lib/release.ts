// What the job says about this instance.

export interface Release {
  /** The platform's version. */
  version: string;
  /** The environment's name, such as `prod`. */
  environment: string;
}

type Environ = Readonly<Record<string, string | undefined>>;

export function release(environ: Environ = process.env): Release {
  return {
    version: environ.FLOWREX_RELEASE || "unknown",
    environment: environ.FLOWREX_ENVIRONMENT || "unknown",
  };
}
