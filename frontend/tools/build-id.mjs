// A name for what a build is made from, the same wherever and whenever it is built.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const SOURCES = ["app", "lib", "package-lock.json", "next.config.mjs"];

/**
 * Return the build's name.
 *
 * @param {string} root the frontend's folder
 * @returns {string} 16 hexadecimal digits
 */
export function buildId(root) {
  const hash = createHash("sha256");
  for (const name of SOURCES.flatMap((source) => files(root, source))) {
    hash.update(`${name}\0`).update(readFileSync(join(root, name))).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/**
 * @param {string} root
 * @param {string} source
 * @returns {string[]}
 */
function files(root, source) {
  if (/\.[a-z]+$/.test(source)) return [source];
  const entries = readdirSync(join(root, source), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((one) => {
      const name = `${source}/${one.name}`;
      return one.isDirectory() ? files(root, name) : [name];
    });
}
