import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { HOST } from "./network.ts";
import { killOrphans, mayServe } from "./processes.ts";
import type { RunAs } from "./run-as.ts";
import { ServerProcess } from "./server-process.ts";
import { classifyStartFailure, startError } from "./start-failure.ts";

const START_DEADLINE_MS = 60_000;
const PORT_ATTEMPTS = 10;
const ORPHAN_ATTEMPTS = 100;
const ORPHAN_PAUSE_MS = 100;

/** What each run of one server has in common. */
export interface LaunchPlan {
  readonly binaries: Binaries;
  readonly runAs: RunAs;
  readonly dataDir: string;
  readonly socketDir: string;
  /** The directory that goes when the owner dies; undefined when the data is to be kept. */
  readonly temporaryDataDir: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: ((line: string) => void) | undefined;
  /** Proposes a port where none is wanted. */
  readonly choosePort: () => Promise<number>;
}

/**
 * Starts a server and waits until it takes connections. Without a `port` it takes any free one.
 * What another attempt can mend is tried again: a port that was snatched, children of a killed
 * server that still run, a lock file whose process id belongs to another program by now.
 */
export async function launch(
  plan: LaunchPlan,
  wantedPort: number | undefined,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<{ run: ServerProcess; port: number }> {
  const deadline = AbortSignal.timeout(START_DEADLINE_MS);
  let portAttempts = wantedPort === undefined ? PORT_ATTEMPTS : 1;
  let orphanAttempts = ORPHAN_ATTEMPTS;
  let lockAttempts = 2;
  for (;;) {
    const port = wantedPort ?? (await plan.choosePort());
    const run = await ServerProcess.spawn({
      runAs: plan.runAs,
      program: plan.binaries.postgres,
      args: serverArguments(plan, port),
      dataDir: plan.dataDir,
      temporaryDir: plan.temporaryDataDir,
      log: plan.log,
    });
    if (await becomesReady(run, { signal, deadline })) {
      return { run, port };
    }

    const failure = classifyStartFailure(run.logLines);
    if (failure.kind === "port-in-use" && --portAttempts > 0) {
      continue;
    }
    if (failure.kind === "orphans" && --orphanAttempts > 0) {
      await killOrphans(plan.dataDir);
      // They are not children of this process, so no event tells when they are gone.
      await delay(ORPHAN_PAUSE_MS, undefined, { signal });
      continue;
    }
    if (failure.kind === "locked" && --lockAttempts > 0) {
      if (!(await mayServe(failure.pid, plan.dataDir))) {
        await unlink(join(plan.dataDir, "postmaster.pid"));
        continue;
      }
    }
    throw startError(failure, { dataDir: plan.dataDir, port, log: run.logLines });
  }
}

async function becomesReady(
  run: ServerProcess,
  { signal, deadline }: { signal: AbortSignal | undefined; deadline: AbortSignal },
): Promise<boolean> {
  try {
    return await run.ready({ signal: signal ? AbortSignal.any([signal, deadline]) : deadline });
  } catch (error) {
    await run.kill();
    if (signal?.aborted) {
      throw error;
    }
    throw new EmbeddedPostgresError(
      "start-timeout",
      `PostgreSQL was not ready within ${START_DEADLINE_MS / 1000} s: ${run.logLines.join("\n")}`,
      { cause: error },
    );
  }
}

function serverArguments(plan: LaunchPlan, port: number): string[] {
  const settings: Record<string, string> = {
    ...(plan.temporaryDataDir === undefined ? {} : { fsync: "off", full_page_writes: "off" }),
    ...plan.settings,
    // Readiness and faults are read off the log.
    lc_messages: "C",
    log_destination: "stderr",
    logging_collector: "off",
    listen_addresses: HOST,
    port: String(port),
    unix_socket_directories: `"${plan.socketDir.replaceAll('"', '""')}"`, // One entry of a list.
  };
  const pairs = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["-D", plan.dataDir, ...pairs];
}
