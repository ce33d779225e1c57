import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startPooler } from "@multipooler/pooler-process";
import type { PoolerExit } from "@multipooler/pooler-process";
import { expect } from "vitest";
import { probe } from "./probe.ts";

const STATE = "/var/lib/multipooler";
const LIMIT_MS = 20_000;

/** What came of a start. */
export interface Run {
  /** Of `/live`. */
  readonly live: number;
  /** Its topology is a file in the state directory, which outlives it. */
  readonly keepsTopology: boolean;
  readonly exit: PoolerExit;
}

/** A directory in place of a machine where the program can write nothing but its state directory. */
export interface ReadOnlyMachine extends AsyncDisposable {
  /** Makes a file of that machine. */
  write(path: string, content: string): Promise<void>;
  /** A text with the paths of the machine as those in its directory, and listening on loopback. */
  mapped(text: string): string;
  /** Starts the program, and stops it once it is in the topology. */
  run(how: {
    readonly flags?: Readonly<Record<string, string>>;
    readonly env?: Readonly<Record<string, string>>;
  }): Promise<Run>;
}

export async function readOnlyMachine(): Promise<ReadOnlyMachine> {
  const root = await mkdtemp(join(tmpdir(), "multipooler-deploy-"));
  const mapped = (text: string): string =>
    text
      .replaceAll(/(?<![\w./-])\/(?:etc|run|var\/lib)(?=[\s/]|$)/gm, (path) => join(root, path))
      .replaceAll("0.0.0.0", "127.0.0.1");
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  await mkdir(join(root, STATE), { recursive: true });
  // Not a directory, which even root cannot make one in.
  await write("/home", "");
  return {
    write,
    mapped,
    run: async ({ flags, env }) => {
      await using pooler = startPooler({
        flags: { "topo-implementation": "sqlite", "pg-listen-port": "0", ...flags },
        env: { HOME: join(root, "home"), XDG_STATE_HOME: "", ...env },
      });
      // There is no PostgreSQL, which the program waits for.
      await pooler.ready(503, { signal: AbortSignal.timeout(LIMIT_MS) });
      const { status: live } = await fetch(`${await pooler.http()}/live`);
      await expect
        .poll(() => probe(pooler), { timeout: LIMIT_MS })
        .toMatchObject({ topology: { registered: true } });
      const exit = await pooler.stop();
      return { live, keepsTopology: existsSync(join(root, STATE, "topology.db")), exit };
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}
