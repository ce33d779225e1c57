import type { Stats } from "node:fs";
import {
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError, hasErrno } from "./error.ts";
import { initdbArguments, runInitdb } from "./initdb.ts";
import type { ClusterSettings } from "./initdb.ts";
import { leastPrivilege, unprivilegedUser } from "./run-as.ts";
import type { RunAs, User } from "./run-as.ts";

type Found = { kind: "absent"; owner: User | undefined } | { kind: "cluster"; owner: User };

/**
 * Makes sure that `dataDir` holds a cluster of this PostgreSQL, creating one when it is absent or empty,
 * and says under which user its programs must run. A creation that is cut short leaves nothing at
 * `dataDir`: the cluster is built beside it and moved into place whole.
 */
export async function prepareDataDirectory(
  dataDir: string,
  binaries: Binaries,
  settings: ClusterSettings,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<RunAs> {
  const found = await inspect(dataDir, binaries.majorVersion);
  const user = process.getuid?.() === 0 ? await unprivilegedUser(found.owner) : undefined;
  if (found.kind === "cluster") {
    return await runAsFor(user, dataDir, binaries);
  }

  const staging = await makeStaging(dataDir);
  try {
    if (user !== undefined) {
      await chown(staging, user.uid, user.gid);
    }
    const runAs = await runAsFor(user, staging, binaries);
    const passwordFile = join(staging, "password");
    await writeFile(passwordFile, `${settings.password}\n`, { mode: 0o600 });
    if (user !== undefined) {
      await chown(passwordFile, user.uid, user.gid);
    }
    const made = join(staging, "data");
    const args = initdbArguments(made, passwordFile, {
      ...settings,
      majorVersion: binaries.majorVersion,
    });
    await runInitdb(binaries.initdb, args, { runAs, signal });
    await moveIntoPlace(made, dataDir);
    return runAs;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** On the same file system as `dataDir`, so that its content can be moved there. */
async function makeStaging(dataDir: string): Promise<string> {
  try {
    await mkdir(dirname(dataDir), { recursive: true });
    return await mkdtemp(`${dataDir}.init-`);
  } catch (cause) {
    throw unusable(dataDir, messageOf(cause), cause);
  }
}

async function moveIntoPlace(made: string, dataDir: string): Promise<void> {
  try {
    await rename(made, dataDir);
  } catch (cause) {
    throw unusable(dataDir, `it has changed meanwhile (${messageOf(cause)})`, cause);
  }
}

async function runAsFor(
  user: User | undefined,
  directory: string,
  binaries: Binaries,
): Promise<RunAs> {
  if (user === undefined) {
    return { kind: "self" };
  }
  return await leastPrivilege(user, { initdb: binaries.initdb, directory });
}

async function inspect(dataDir: string, majorVersion: number): Promise<Found> {
  let owner: Stats;
  let entries: string[];
  try {
    owner = await stat(dataDir);
    entries = await readdir(dataDir);
  } catch (cause) {
    if (hasErrno(cause, "ENOENT")) {
      return { kind: "absent", owner: undefined };
    }
    throw unusable(dataDir, messageOf(cause), cause);
  }
  // Root reads any directory, but the server runs as its owner.
  if ((owner.mode & 0o700) !== 0o700) {
    throw unusable(dataDir, "its owner may not read and write it");
  }
  if (entries.length === 0) {
    return { kind: "absent", owner };
  }
  const version = await readVersion(dataDir);
  if (version !== String(majorVersion)) {
    throw new EmbeddedPostgresError(
      "wrong-version",
      `the data directory ${dataDir} was made by PostgreSQL ${version}, and this is PostgreSQL ${majorVersion}: move it away or remove it`,
    );
  }
  if (owner.uid === 0) {
    throw unusable(dataDir, "it belongs to root, and PostgreSQL refuses to run as root");
  }
  return { kind: "cluster", owner };
}

async function readVersion(dataDir: string): Promise<string> {
  try {
    return (await readFile(join(dataDir, "PG_VERSION"), "utf8")).trim();
  } catch (cause) {
    throw unusable(dataDir, "it holds files but no PG_VERSION that can be read", cause);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unusable(dataDir: string, reason: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "data-directory-unusable",
    `the data directory ${dataDir} cannot be used: ${reason}`,
    { cause },
  );
}
