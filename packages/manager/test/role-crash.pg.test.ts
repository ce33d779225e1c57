import { fork } from "node:child_process";
import { once } from "node:events";
import { chown, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { text } from "node:stream/consumers";
import { startPostgres } from "@multipooler/embedded-postgres";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import { expect, test } from "vitest";
import { temporaryDir } from "./temporary-dir.ts";

const PROGRAM = path.join(import.meta.dirname, "child", "change-role.ts");

/** Each ends two processes, and a demotion restarts PostgreSQL. */
const TIMEOUT_MS = 600_000;

const DEMOTION = [
  "stop serving",
  "end sessions",
  "restart as standby",
  "follow nobody",
  "wait for no standby",
  "become replica",
  "give up the term",
];
const PROMOTION = [
  "stop serving",
  "follow nobody",
  "promote",
  "lead the term",
  "become primary",
  "claim the shard",
  "wait for standbys",
];
const UNDOING = ["promote", "lead the term", "become primary", "wait for standbys"];

/** A pooler's directory and its server, which the processes of the pooler share. */
class Site {
  readonly #directory: string;
  readonly #postgres: EmbeddedPostgres;

  constructor(directory: string, postgres: EmbeddedPostgres) {
    this.#directory = directory;
    this.#postgres = postgres;
  }

  /** Runs a pooler for one verb; resolves with what it is in the end, or the signal that ended it. */
  async run(verb: string, killAt = ""): Promise<string> {
    const args = [verb, this.#directory, String(this.#postgres.port), killAt];
    const child = fork(PROGRAM, args, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    child.on("message", () => {
      void this.#restartAsStandby().then(() => child.connected && child.send("restarted"));
    });
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) {
      throw new Error("a process without output");
    }
    const [output, complaints, [, signal]] = await Promise.all([
      text(stdout),
      text(stderr),
      once(child, "close"),
    ]);
    return signal === null ? `${output}${complaints}`.trim() : String(signal);
  }

  async isInRecovery(): Promise<unknown> {
    const [row] = await this.#postgres.sql("select pg_is_in_recovery() as standby");
    return row?.["standby"];
  }

  async #restartAsStandby(): Promise<void> {
    const { dataDir } = this.#postgres;
    await this.#postgres.stop("fast");
    const signal = path.join(dataDir, "standby.signal");
    const { uid, gid } = await stat(dataDir);
    await writeFile(signal, "");
    await chown(signal, uid, gid);
    await this.#postgres.start();
  }
}

test(
  "a pooler that is killed before any step of a change of role completes it when asked again",
  { timeout: TIMEOUT_MS },
  async () => {
    await using directory = await temporaryDir();
    await using postgres = await startPostgres();
    const site = new Site(directory.path, postgres);
    expect(await site.run("recruit")).toBe("PRIMARY PRIMARY SERVING");
    for (const [index, step] of DEMOTION.entries()) {
      expect([step, await site.run("demote", step)]).toEqual([step, "SIGKILL"]);
      expect([step, await site.run("demote")]).toEqual([step, "REPLICA REPLICA SERVING_RDONLY"]);
      expect(await site.isInRecovery()).toBe(true);
      const next = PROMOTION[index] ?? "";
      expect([next, await site.run("promote", next)]).toEqual([next, "SIGKILL"]);
      expect([next, await site.run("promote")]).toEqual([next, "PRIMARY PRIMARY SERVING"]);
      expect(await site.isInRecovery()).toBe(false);
    }
  },
);

test(
  "what was begun holds a pooler back over a restart, and an undoing that is killed is repeated",
  { timeout: TIMEOUT_MS },
  async () => {
    await using directory = await temporaryDir();
    await using postgres = await startPostgres();
    const site = new Site(directory.path, postgres);
    expect(await site.run("recruit")).toBe("PRIMARY PRIMARY SERVING");
    expect(await site.run("demote", "end sessions")).toBe("SIGKILL");
    expect(await site.run("look")).toBe("PRIMARY REPLICA NOT_SERVING held");
    expect(await site.run("undo")).toBe("PRIMARY PRIMARY SERVING");
    for (const step of UNDOING) {
      expect([step, await site.run("demote")]).toEqual([step, "REPLICA REPLICA SERVING_RDONLY"]);
      expect([step, await site.run("undo", step)]).toEqual([step, "SIGKILL"]);
      expect([step, await site.run("look")]).toEqual([step, expect.stringMatching(/ held$/)]);
      expect([step, await site.run("undo")]).toEqual([step, "PRIMARY PRIMARY SERVING"]);
      expect(await site.isInRecovery()).toBe(false);
    }
  },
);
