import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** The variable of the environment that names the call, as `call-hook.ts` says. */
export const CALL_VARIABLE = "E2E_AT_CALL";

/** The variable of the environment that says where the gate is. */
export const GATE_VARIABLE = "E2E_CALL_GATE";

const HOOK = `--import ${join(import.meta.dirname, "call-hook.ts")}`;
const mkfifo = promisify(execFile);

/** The environment of a command that is killed instead of a call. */
export function killedAt(call: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: HOOK, [CALL_VARIABLE]: call };
}

/** Stops commands right before a call, so that something else can happen between two of their calls. */
export class CallGate {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async create(directory: string): Promise<CallGate> {
    const path = join(directory, "call-gate");
    await mkfifo("mkfifo", [path]);
    return new CallGate(path);
  }

  /** The environment of a command that is held before the call. */
  heldAt(call: string): Readonly<Record<string, string>> {
    return { ...killedAt(call), [GATE_VARIABLE]: this.#path };
  }

  /** Resolves when a command is held, which goes on when the result is disposed of. Rejects where it ends before. */
  async reached(command: Promise<unknown>): Promise<AsyncDisposable> {
    const opened = open(this.#path, "w");
    const missed = command.then(
      () => "the command has ended before the call",
      (error: unknown) => String(error),
    );
    const first = await Promise.race([opened, missed]);
    if (typeof first !== "string") {
      return first;
    }
    // Nobody else is to read it, and the opening would wait for ever.
    await using _ = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    await using _opened = await opened;
    throw new Error(first);
  }
}
