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
import { LogTail } from "./log-tail.ts";
import { leastPrivilege, spawnAs, unprivilegedUser, type RunAs, type User } from "./run-as.ts";

/** The major version of PostgreSQL that this package runs. */
export const MAJOR_VERSION = "17";

/** How clients prove who they are; applies to TCP and to the unix socket. */
export type AuthMethod = "trust" | "scram-sha-256";

/** What a new data directory is made with. */
export interface ClusterSettings {
  readonly auth: AuthMethod;
  /** Name of the superuser. */
  readonly user: string;
  /** The superuser's password; used with `scram-sha-256`. */
  readonly password: string;
  /** False leaves out syncing to disk: faster, and the data may not survive a power failure. */
  readonly durable: boolean;
}

type Found = { kind: "absent"; owner: User | undefined } | { kind: "cluster"; owner: User };

/**
 * Makes sure that `dataDir` holds a PostgreSQL 17 cluster, creating one when it is absent or empty,
 * and says under which user its programs must run. A creation that is cut short leaves nothing at
 * `dataDir`: the cluster is built beside it and moved into place whole.
 */
export async function prepareDataDirectory(
  dataDir: string,
  binaries: Binaries,
  settings: ClusterSettings,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<RunAs> {
  const found = await inspect(dataDir);
  const user = process.getuid?.() === 0 ? await unprivilegedUser(found.owner) : undefined;
  if (found.kind === "cluster") return await runAsFor(user, dataDir, binaries);

  await mkdir(dirname(dataDir), { recursive: true });
  const staging = await mkdtemp(`${dataDir}.init-`);
  try {
    if (user !== undefined) await chown(staging, user.uid, user.gid);
    const runAs = await runAsFor(user, staging, binaries);
    await initialise(staging, binaries, runAs, user, settings, signal);
    await rename(join(staging, "data"), dataDir);
    return runAs;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function runAsFor(
  user: User | undefined,
  directory: string,
  binaries: Binaries,
): Promise<RunAs> {
  if (user === undefined) return { kind: "self" };
  return await leastPrivilege(user, { program: binaries.postgres, directory });
}

async function inspect(dataDir: string): Promise<Found> {
  let entries: string[];
  let owner: User & { mode: number };
  try {
    owner = await stat(dataDir);
    entries = await readdir(dataDir);
    if ((owner.mode & 0o700) !== 0o700) throw new Error("its owner lacks permissions on it");
    if (entries.length === 0) return { kind: "absent", owner };
    const version = (await readFile(join(dataDir, "PG_VERSION"), "utf8")).trim();
    if (version !== MAJOR_VERSION) {
      throw new EmbeddedPostgresError(
        "wrong-version",
        `the data directory ${dataDir} was made by PostgreSQL ${version}, and this is PostgreSQL ${MAJOR_VERSION}: move it away or remove it`,
      );
    }
  } catch (cause) {
    if (cause instanceof EmbeddedPostgresError) throw cause;
    if (hasErrno(cause, "ENOENT") && !(await exists(dataDir))) {
      return { kind: "absent", owner: undefined };
    }
    const reason = hasErrno(cause, "ENOENT")
      ? "it holds other files and no PG_VERSION"
      : cause instanceof Error
        ? cause.message
        : String(cause);
    throw unusable(dataDir, reason, cause);
  }
  if (owner.uid === 0)
    throw unusable(dataDir, "it belongs to root, as whom PostgreSQL refuses to run");
  return { kind: "cluster", owner };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function unusable(dataDir: string, reason: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "data-directory-unusable",
    `the data directory ${dataDir} cannot be used: ${reason}`,
    { cause },
  );
}

async function initialise(
  staging: string,
  binaries: Binaries,
  runAs: RunAs,
  user: User | undefined,
  settings: ClusterSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  const passwordFile = join(staging, "password");
  const args = [
    `--pgdata=${join(staging, "data")}`,
    `--username=${settings.user}`,
    `--auth=${settings.auth}`,
    "--encoding=UTF8",
    "--no-locale",
    // Code-point order and full Unicode case rules, the same on every operating system.
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
  ];
  if (!settings.durable) args.push("--no-sync");
  if (settings.auth === "scram-sha-256") {
    await writeFile(passwordFile, `${settings.password}\n`, { mode: 0o600 });
    if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
    args.push(`--pwfile=${passwordFile}`);
  }
  await runToEnd(runAs, binaries.initdb, args, signal);
}

async function runToEnd(
  runAs: RunAs,
  program: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const child = spawnAs(runAs, program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const log = new LogTail();
  if (child.stdout) log.follow(child.stdout);
  if (child.stderr) log.follow(child.stderr);
  const abort = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const outcome = await new Promise<number | string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, killedBy) => resolve(code ?? killedBy ?? "unknown"));
    });
    signal?.throwIfAborted();
    if (outcome === 0) return;
    throw new EmbeddedPostgresError(
      "initdb-failed",
      `initdb ended with ${outcome}: ${log.lines.join("\n")}`,
    );
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
