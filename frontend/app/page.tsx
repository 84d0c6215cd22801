import { askApi } from "../lib/api";
import { release } from "../lib/release";

// Made for each request: what it says is about now.
export const dynamic = "force-dynamic";

export default async function Page() {
  const { version, environment } = release();
  const api = await askApi();
  return (
    <main>
      <h1>Flowrex</h1>
      <dl>
        <dt>Release</dt>
        <dd>{version}</dd>
        <dt>Environment</dt>
        <dd>{environment}</dd>
        <dt>API</dt>
        <dd data-api={api.answers ? "up" : "down"}>
          {api.answers ? `answers, release ${api.version}` : `does not answer: ${api.reason}`}
        </dd>
      </dl>
    </main>
  );
}
