import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory with a space in its name that goes away with its test. */
export interface TemporaryDirectory {
  readonly path: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** In memory where the system offers that, for the tests write more than a topology does. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await make();
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function make(): Promise<string> {
  const name = "multipooler topology ";
  try {
    return await mkdtemp(join("/dev/shm", name));
  } catch {
    return mkdtemp(join(tmpdir(), name));
  }
}
