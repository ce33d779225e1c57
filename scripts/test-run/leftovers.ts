import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const VARIABLE = "TEST_RUN_MARK";

/** A process that a test started and did not end. */
export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/**
 * Marks every process that this one starts from now on, through an environment variable that
 * children inherit.
 */
export function markProcesses(): ProcessMark {
  const mark = randomUUID();
  process.env[VARIABLE] = mark;
  return new ProcessMark(mark);
}

/**
 * Finds the marked processes that are still alive. It reads `/proc`; where there is none (macOS), it
 * finds nothing.
 */
export class ProcessMark {
  readonly #entry: string;

  constructor(mark: string) {
    this.#entry = `${VARIABLE}=${mark}`;
  }

  /** Waits until no marked process is alive, at most `graceMs`, and names those that still are. */
  async leftovers({ graceMs }: { readonly graceMs: number }): Promise<readonly Leftover[]> {
    const deadline = performance.now() + graceMs;
    let alive = this.#alive();
    while (alive.length > 0 && performance.now() < deadline) {
      await delay(100);
      alive = this.#alive();
    }
    return alive;
  }

  /** Ends the marked processes, and only those: a PID that was reused has no mark. */
  kill(): void {
    for (const { pid } of this.#alive()) {
      process.kill(pid, "SIGKILL");
    }
  }

  #alive(): Leftover[] {
    return pids().flatMap((pid) => {
      const environment = readProc(pid, "environ");
      if (!environment.split("\0").includes(this.#entry)) {
        return [];
      }
      return [{ pid, command: readProc(pid, "cmdline").replaceAll("\0", " ").trim() }];
    });
  }
}

function pids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** Empty for a process that has gone, is a zombie, or belongs to somebody else. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
