// Whether the API answers, as the page says it.

const TIMEOUT_MS = 2000;

export type ApiState =
  | { answers: true; version: string }
  /** `reason`: in words that may be shown to anybody. */
  | { answers: false; reason: string };

/**
 * Ask the API for its version. Never throws: a page is shown with or without it.
 *
 * @param address where the API is, without a path; undefined where the job names none
 * @param timeoutMs milliseconds after which it counts as silent
 */
export async function askApi(
  address: string | undefined = process.env.FLOWREX_API_ADDRESS,
  timeoutMs: number = TIMEOUT_MS,
): Promise<ApiState> {
  if (!address) return { answers: false, reason: "no address is set" };
  try {
    const answer = await fetch(new URL("/api/v1/version", address), {
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!answer.ok) return { answers: false, reason: `it answers ${answer.status}` };
    const document: unknown = await answer.json();
    return { answers: true, version: versionOf(document) };
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError";
    return { answers: false, reason: late ? "it takes too long" : "it can't be reached" };
  }
}

function versionOf(document: unknown): string {
  if (typeof document === "object" && document !== null && "release" in document) {
    return String(document.release);
  }
  return "unknown";
}
