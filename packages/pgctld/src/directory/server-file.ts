import { chown, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasErrno, ioFailed } from "../error.ts";
import { isRoot } from "../run/run-as.ts";

/**
 * Writes a file into a directory of the server, whole or not at all, so that it belongs to the
 * directory's owner and nobody else reads it.
 */
export async function writeAsServer(
  directory: string,
  name: string,
  content: string,
): Promise<void> {
  const path = join(directory, name);
  const temporary = `${path}.pgctld`;
  try {
    await writeFile(temporary, content, { mode: 0o600, flush: true });
    if (isRoot()) {
      const { uid, gid } = await stat(directory);
      await chown(temporary, uid, gid);
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw ioFailed(`${path} cannot be written`, error);
  }
}

const STANDBY_SIGNAL = "standby.signal";

/** What a server is after its start: `keep` leaves what it was. */
export type StartRole = "keep" | "primary" | "standby";

/** Has the next start of a server bring up a standby, or a primary. */
export async function setStartRole(dataDir: string, role: StartRole): Promise<void> {
  switch (role) {
    case "keep":
      return;
    case "primary":
      await removeFile(join(dataDir, STANDBY_SIGNAL));
      return;
    case "standby":
      await writeAsServer(dataDir, STANDBY_SIGNAL, "");
  }
}

/** Whether the next start brings up a standby. */
export async function startsAsStandby(dataDir: string): Promise<boolean> {
  try {
    await stat(join(dataDir, STANDBY_SIGNAL));
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) {
      return false;
    }
    throw ioFailed(`${join(dataDir, STANDBY_SIGNAL)} cannot be looked at`, error);
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw ioFailed(`${path} cannot be removed`, error);
  }
}
