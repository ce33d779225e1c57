import { execFile } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { temporaryDir } from "./temporary-dir.ts";

/**
 * Starts a copy of a server, which is stopped for it and started again: a standby that follows it, or
 * one that takes itself for the same. The parts dispose of it.
 */
export async function copyServer(
  parts: AsyncDisposableStack,
  source: TestPostgres,
  { follows }: { readonly follows: boolean },
): Promise<TestPostgres> {
  const directory = parts.use(await temporaryDir());
  await chmod(directory.path, 0o711);
  const dataDir = path.join(directory.path, "data");
  await source.stop();
  await promisify(execFile)("cp", ["-a", source.dataDir, dataDir]);
  await source.start();
  if (follows) {
    await writeFile(path.join(dataDir, "standby.signal"), "", { mode: 0o666 });
  }
  const settings = follows
    ? { primary_conninfo: `host=${source.host} port=${source.port} user=${source.user}` }
    : {};
  return parts.use(await startPostgres({ dataDir, settings }));
}
