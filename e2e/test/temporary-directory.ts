import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory, with a space in its path, that goes away with its scope. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "multipooler e2e "));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
