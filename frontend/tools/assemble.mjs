// Make Next's standalone output whole, and the same to the byte wherever and whenever it is built.

import { createHash } from "node:crypto";
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const OUTPUT = join(ROOT, ".next", "standalone");
const BUILT = join(OUTPUT, ".next");

// The browser's part, and the program that starts the server.
cpSync(join(ROOT, ".next", "static"), join(BUILT, "static"), { recursive: true });
cpSync(join(ROOT, ".server"), OUTPUT, { recursive: true });
// What that program needs besides, which no page does.
for (const name of needed("prom-client")) {
  const path = join("node_modules", name);
  cpSync(join(ROOT, path), join(OUTPUT, path), { recursive: true, dereference: true });
}
// The platform's machine code for building and for pictures; the server uses neither.
for (const name of ["sharp", "@img"]) {
  rmSync(join(OUTPUT, "node_modules", name), { recursive: true, force: true });
}

const id = readFileSync(join(BUILT, "BUILD_ID"), "utf8").trim();

/**
 * Return what stands in for a random key. Next makes them for previews of drafts and for server
 * actions, of which there are none here, so that they open nothing and need not be secret.
 *
 * @param {string} name the key's
 * @param {number} bytes its length
 */
const fixed = (name, bytes) =>
  createHash("sha256").update(`${id}/${name}`).digest().subarray(0, bytes);

edit("prerender-manifest.json", (manifest) => ({
  ...manifest,
  preview: {
    previewModeId: fixed("previewModeId", 16).toString("hex"),
    previewModeSigningKey: fixed("previewModeSigningKey", 32).toString("hex"),
    previewModeEncryptionKey: fixed("previewModeEncryptionKey", 32).toString("hex"),
  },
}));
edit("server/server-reference-manifest.json", (manifest) => ({
  ...manifest,
  encryptionKey: fixed("encryptionKey", 32).toString("base64"),
}));

// Written in the order in which the pages happened to be ready.
edit("app-build-manifest.json", (manifest) => ({ ...manifest, pages: sorted(manifest.pages) }));
edit("app-path-routes-manifest.json", sorted);
edit("server/app-paths-manifest.json", sorted);

for (const path of files(OUTPUT)) {
  const text = readFileSync(path, "latin1");
  if (text.includes(ROOT)) {
    writeFileSync(path, text.replaceAll(ROOT, "/frontend"), "latin1");
  }
}

/**
 * Return a package and all that it depends on.
 *
 * @param {string} name
 * @returns {string[]}
 */
function needed(name) {
  const path = join(ROOT, "node_modules", name, "package.json");
  const { dependencies = {} } = JSON.parse(readFileSync(path, "utf8"));
  return [name, ...Object.keys(dependencies).flatMap(needed)];
}

/**
 * @param {string} name
 * @param {(manifest: any) => object} change
 */
function edit(name, change) {
  const path = join(BUILT, name);
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")))));
}

/**
 * @param {object} manifest
 * @returns {object}
 */
function sorted(manifest) {
  return Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath ?? one.path, one.name));
}
