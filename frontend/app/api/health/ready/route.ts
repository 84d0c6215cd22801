import { isDraining } from "../../../../lib/draining";
import { release } from "../../../../lib/release";

export const dynamic = "force-dynamic";

/** Ready: it may be given requests. Without the API it shows pages that say so, and is ready. */
export function GET(): Response {
  const ready = !isDraining();
  return Response.json(
    { status: ready ? "ready" : "draining", service: "frontend", release: release().version },
    { status: ready ? 200 : 503, headers: { "Cache-Control": "no-store" } },
  );
}
