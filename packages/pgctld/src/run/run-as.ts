import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { messageOf, PgctldError, PgctldErrorCode } from "../error.ts";

const execFileAsync = promisify(execFile);

/** A numeric user and its primary group. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Under which user PostgreSQL's programs run. They refuse to run as root, so root drops to another
 * user; `capability` is the one privilege that user keeps when it could not reach the files without.
 */
export type RunAs =
  | { readonly kind: "self" }
  | { readonly kind: "user"; readonly user: User }
  | { readonly kind: "user-with-capability"; readonly user: User; readonly capability: Capability };

/** Reading and searching past permissions is enough for most; executing a 0700 file needs the second. */
const CAPABILITIES = ["dac_read_search", "dac_override"] as const;
type Capability = (typeof CAPABILITIES)[number];

const PROBE_TIMEOUT_MS = 10_000;

/** Whether this process is root, which has to drop to another user. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The user to drop to: `owner` (of an existing data directory) unless that is root, else `wanted`,
 * else `nobody`. Rejects with NOT_PERMITTED when there is none.
 */
export async function unprivilegedUser(
  owner: User | undefined,
  wanted: User | undefined,
): Promise<User> {
  if (owner !== undefined && owner.uid !== 0) {
    return { uid: owner.uid, gid: owner.gid };
  }
  const user = wanted ?? (await userNamed("nobody"));
  if (user === undefined) {
    throw new PgctldError(
      PgctldErrorCode.NotPermitted,
      "PostgreSQL refuses to run as root and there is no user `nobody` to run it as: run this as an ordinary user",
    );
  }
  return user;
}

/** The user of this name in /etc/passwd. */
export async function userNamed(name: string): Promise<User | undefined> {
  for (const line of (await readFile("/etc/passwd", "utf8")).split("\n")) {
    const [found, , uid, gid] = line.split(":");
    if (found === name) {
      // macOS writes `nobody` as -2.
      return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
    }
  }
  return undefined;
}

/**
 * The least privilege with which `user` can work in `directory` with the programs beside `initdb`.
 * Found by trying: permissions also come from parent directories, access lists and mount options.
 */
export async function leastPrivilege(
  user: User,
  { initdb, directory }: { readonly initdb: string; readonly directory: string },
): Promise<RunAs> {
  const ways: RunAs[] = [{ kind: "user", user }];
  if (process.platform === "linux") {
    ways.push(
      ...CAPABILITIES.map((capability): RunAs => ({
        kind: "user-with-capability",
        user,
        capability,
      })),
    );
  }
  let lastFailure: unknown;
  for (const way of ways) {
    try {
      // Looks for all programs and files of the installation, and changes nothing.
      const script = 'cd "$1" && exec "$2" --show --pgdata="$1"';
      const probe = ["-c", script, "sh", directory, initdb];
      const { file, args, identity } = commandLine(way, "/bin/sh", probe);
      await execFileAsync(file, args, { ...identity, cwd: "/", timeout: PROBE_TIMEOUT_MS });
      return way;
    } catch (error) {
      lastFailure = error;
    }
  }
  throw new PgctldError(
    PgctldErrorCode.NotPermitted,
    `PostgreSQL refuses to run as root, and user ${user.uid} cannot reach ${directory} or ${initdb}: ` +
      `move them to a directory that everyone may enter, or run this as an ordinary user (${messageOf(lastFailure)})`,
    { cause: lastFailure },
  );
}

/** A command line, and the user to start it as. */
export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
  readonly identity: { readonly uid?: number; readonly gid?: number };
}

/** The command that runs `program` as `runAs` says. */
export function commandLine(runAs: RunAs, program: string, args: readonly string[]): CommandLine {
  switch (runAs.kind) {
    case "self":
      return { file: program, args, identity: {} };
    case "user":
      return { file: program, args, identity: { uid: runAs.user.uid, gid: runAs.user.gid } };
    case "user-with-capability": {
      const capabilities = `-all,+${runAs.capability}`;
      const options = [
        `--reuid=${runAs.user.uid}`,
        `--regid=${runAs.user.gid}`,
        "--clear-groups",
        `--inh-caps=${capabilities}`,
        `--ambient-caps=${capabilities}`,
        `--bounding-set=${capabilities}`,
        // PostgreSQL asks access(2), which otherwise leaves out what a user has beyond its own.
        "--securebits=+no_setuid_fixup",
        "--",
      ];
      return { file: "setpriv", args: [...options, program, ...args], identity: {} };
    }
  }
}
