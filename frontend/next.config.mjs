import { fileURLToPath } from "node:url";

import { buildId } from "./tools/build-id.mjs";
import { StableIds } from "./tools/stable-ids.mjs";

const root = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "");

// What every answer tells a browser; no page is meant to be framed or guessed at.
const security = [
  { key: "X-Content-Type-Options", value: "nosniff" },
  { key: "X-Frame-Options", value: "DENY" },
  { key: "Referrer-Policy", value: "strict-origin-when-cross-origin" },
];

/** @type {import("next").NextConfig} */
export default {
  output: "standalone",
  outputFileTracingRoot: root,
  // Machine code for pictures, which there are none of; without it the output fits every machine.
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**"] },
  images: { unoptimized: true },
  poweredByHeader: false,
  // nginx does that, for all that goes through it.
  compress: false,
  // Its name is in addresses that browsers keep for a year: another one for other sources.
  generateBuildId: () => buildId(root),
  webpack: (config) => {
    config.plugins.push(new StableIds(root));
    return config;
  },
  headers: () => Promise.resolve([{ source: "/:path*", headers: security }]),
};
