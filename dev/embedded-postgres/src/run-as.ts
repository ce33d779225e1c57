import { spawn, execFile } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { EmbeddedPostgresError } from "./error.ts";

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

/** The user to drop to: `owner` (of an existing data directory) unless that is root, or `nobody`. */
export async function unprivilegedUser(owner: User | undefined): Promise<User> {
  if (owner !== undefined && owner.uid !== 0) {
    return owner;
  }
  for (const line of (await readFile("/etc/passwd", "utf8")).split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === "nobody") {
      return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
    }
  }
  throw new EmbeddedPostgresError(
    "not-permitted",
    "PostgreSQL refuses to run as root and there is no user `nobody` to run it as: run this as an ordinary user",
  );
}

/**
 * The least privilege with which `user` can work in `directory` with the programs beside `initdb`.
 * Found by trying: permissions also come from parent directories, access lists and mount options.
 */
export async function leastPrivilege(
  user: User,
  { initdb, directory }: { initdb: string; directory: string },
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
      await execFileAsync(file, args, { ...identity, cwd: "/", timeout: 10_000 });
      return way;
    } catch (error) {
      lastFailure = error;
    }
  }
  throw new EmbeddedPostgresError(
    "not-permitted",
    `PostgreSQL refuses to run as root, and user ${user.uid} cannot reach ${directory} or ${initdb}: ` +
      "move this checkout to a directory that everyone may enter, or run this as an ordinary user",
    { cause: lastFailure },
  );
}

/** Starts `program` as `runAs` says, with a small fixed environment and outside of the caller's terminal. */
export function spawnAs(
  runAs: RunAs,
  program: string,
  programArgs: readonly string[],
  { stdio }: { stdio: NonNullable<SpawnOptions["stdio"]> },
): ChildProcess {
  const { file, args, identity } = commandLine(runAs, program, programArgs);
  return spawn(file, args, {
    ...identity,
    cwd: "/", // The caller's directory may be closed to the other user.
    detached: true, // Ctrl-C goes to the owner, which stops things in its own order.
    env: { PATH: process.env["PATH"], LC_ALL: "C" }, // No PG* variable may change what is started.
    stdio,
  });
}

function commandLine(
  runAs: RunAs,
  program: string,
  args: readonly string[],
): { file: string; args: readonly string[]; identity: { uid?: number; gid?: number } } {
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
