import { existsSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The variable of the environment that says where the plan is. */
export const PLAN_VARIABLE = "E2E_KILL_PLAN";

const HOOK = join(import.meta.dirname, "kill-hook.ts");

/** Which process is killed, and when. */
export interface PlannedKill {
  readonly pid: number;
  /** Of a line of the log, as it has them. */
  readonly words: string;
}

/** A plan as its file has it. */
export function parsePlan(text: string): PlannedKill {
  const end = text.indexOf(" ");
  return { pid: Number(text.slice(0, end)), words: text.slice(end + 1) };
}

/** Has processes that were started with it kill one at a line of their log. */
export class KillPlan {
  readonly #path: string;

  constructor(directory: string) {
    this.#path = join(directory, "kill-plan");
  }

  /** How a program is started that obeys. */
  get options(): {
    readonly nodeOptions: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  } {
    return { nodeOptions: ["--import", HOOK], env: { [PLAN_VARIABLE]: this.#path } };
  }

  /** The next line with these words kills the process, once. */
  async arm({ pid, words }: PlannedKill): Promise<void> {
    await writeFile(`${this.#path}.new`, `${pid} ${words}`);
    await rename(`${this.#path}.new`, this.#path);
  }

  /** Whether no such line has come yet. */
  get isArmed(): boolean {
    return existsSync(this.#path);
  }
}
