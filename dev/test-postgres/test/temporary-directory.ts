import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A directory that everyone may enter and that goes with the test; its name has a space. */
export async function temporaryDirectory({
  mode = 0o755,
}: { mode?: number } = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mp test "));
  await chmod(dir, mode);
  onTestFinished(async () => await rm(dir, { recursive: true, force: true }));
  return dir;
}
