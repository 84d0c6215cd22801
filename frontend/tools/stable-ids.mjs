// Module numbers that do not depend on where the project lies. Next's own are made from paths, and
// so would the names of the browser's files be.

import { createHash } from "node:crypto";

export class StableIds {
  /** @param {string} root the folder that is left out of the paths */
  constructor(root) {
    this.forms = [root, JSON.stringify(root).slice(1, -1), encodeURIComponent(root)];
  }

  /** @param {any} compiler webpack's */
  apply(compiler) {
    compiler.hooks.compilation.tap("StableIds", (/** @type {any} */ compilation) => {
      compilation.hooks.moduleIds.tap("StableIds", (/** @type {Iterable<any>} */ modules) => {
        const graph = compilation.chunkGraph;
        for (const one of modules) {
          const wanted = graph.getNumberOfModuleChunks(one) > 0 && graph.getModuleId(one) === null;
          if (wanted) graph.setModuleId(one, this.id(one.identifier()));
        }
      });
    });
  }

  /**
   * @param {string} identifier
   * @returns {string} 12 hexadecimal digits
   */
  id(identifier) {
    // What several modules were joined to ends with a checksum of all their paths.
    const own = identifier.replace(/\|[0-9a-f]{16}$/, "");
    const named = this.forms.reduce((text, form) => text.replaceAll(form, ""), own);
    return createHash("sha256").update(named).digest("hex").slice(0, 12);
  }
}
