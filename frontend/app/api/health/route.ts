import { release } from "../../../lib/release";

export const dynamic = "force-dynamic";

/** Alive: this process answers, whatever becomes of what it asks. */
export function GET(): Response {
  return Response.json(
    { status: "ok", service: "frontend", release: release().version },
    { headers: { "Cache-Control": "no-store" } },
  );
}
