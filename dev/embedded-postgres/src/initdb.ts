import { once } from "node:events";
import { EmbeddedPostgresError } from "./error.ts";
import { LogTail } from "./log-tail.ts";
import { spawnAs } from "./run-as.ts";
import type { RunAs } from "./run-as.ts";

/** How clients prove who they are; applies to TCP and to the unix socket. */
export type AuthMethod = "trust" | "scram-sha-256";

/** How clients log in to a new cluster, and whether it survives a power failure. */
export interface ClusterSettings {
  readonly auth: AuthMethod;
  /** Name of the superuser. */
  readonly user: string;
  /** The superuser's password. */
  readonly password: string;
  /** False leaves out syncing to disk: faster, and the data may not survive a power failure. */
  readonly durable: boolean;
}

/** The first PostgreSQL that has locales of its own. */
const BUILTIN_LOCALES_SINCE = 17;
/** Code-point order and full Unicode case rules, the same on every operating system. */
const BUILTIN_LOCALE = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"];

/** The arguments that make a cluster in `dataDir`; `passwordFile` holds the superuser's password. */
export function initdbArguments(
  dataDir: string,
  passwordFile: string,
  { auth, user, durable, majorVersion }: ClusterSettings & { readonly majorVersion: number },
): string[] {
  return [
    `--pgdata=${dataDir}`,
    `--username=${user}`,
    `--pwfile=${passwordFile}`,
    `--auth=${auth}`,
    "--encoding=UTF8",
    "--no-locale",
    ...(majorVersion < BUILTIN_LOCALES_SINCE ? [] : BUILTIN_LOCALE),
    "--no-instructions",
    ...(durable ? [] : ["--no-sync"]),
  ];
}

/** Runs `initdb` to its end; an abort ends it and rejects with the signal's reason. */
export async function runInitdb(
  program: string,
  args: readonly string[],
  { runAs, signal }: { runAs: RunAs; signal?: AbortSignal | undefined },
): Promise<void> {
  signal?.throwIfAborted();
  const child = spawnAs(runAs, program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const log = new LogTail();
  if (child.stdout) {
    log.follow(child.stdout);
  }
  if (child.stderr) {
    log.follow(child.stderr);
  }
  const abort = (): void => void child.kill("SIGTERM");
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await once(child, "close"); // Rejects when the program cannot be run.
    signal?.throwIfAborted();
    if (child.exitCode === 0) {
      return;
    }
    throw new EmbeddedPostgresError(
      "initdb-failed",
      `initdb ended with ${child.exitCode ?? child.signalCode}: ${complaint(log.lines)}`,
    );
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** The line that says what is wrong, or all there is. */
function complaint(log: readonly string[]): string {
  return log.find((line) => /^initdb: (error|fatal): /.test(line)) ?? log.join("\n");
}
