// Whether this process is about to stop. The server's program sets it, the health routes read it;
// Next bundles them apart, so what they share hangs on what both see.

const MARK = Symbol.for("flowrex.draining");

type Marked = typeof globalThis & { [MARK]?: boolean };

export function isDraining(): boolean {
  return (globalThis as Marked)[MARK] === true;
}

export function beginDraining(): void {
  (globalThis as Marked)[MARK] = true;
}
