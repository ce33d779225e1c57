import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import type { Readable } from "node:stream";
import { onAbort } from "@multipooler/timing";
import { throwIfAborted } from "../error.ts";
import { commandLine } from "./run-as.ts";
import type { RunAs } from "./run-as.ts";

/** Variables of a program's environment. */
export type Environment = Readonly<Record<string, string>>;

/** What programs get besides what their caller gives them. No PG* variable may change what they do. */
const ENVIRONMENT: Environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
};
/** How much of a program's output is kept: its end. */
const KEPT_OUTPUT_CHARACTERS = 65_536;

/** Which program to start, and as whom. */
export interface ProgramOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly runAs: RunAs;
  readonly environment?: Environment | undefined;
}

/** Starts a program outside of the caller's terminal and directory. */
export function spawnProgram(options: ProgramOptions, stdio: StdioOptions): ChildProcess {
  const { file, args, identity } = commandLine(options.runAs, options.program, options.args);
  return spawn(file, args, {
    ...identity,
    cwd: "/", // The caller's directory may be closed to the other user.
    detached: true, // Ctrl-C goes to the owner, which stops things in its own order.
    env: { ...ENVIRONMENT, ...options.environment },
    stdio,
  });
}

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The end of a program that was run for its output. */
export interface ProgramResult extends ProgramEnd {
  /** The end of what it wrote on both outputs. */
  readonly output: string;
}

/**
 * Runs a program to its end. An abort ends it with SIGTERM and rejects with CANCELLED. Rejects with
 * the system's error when it cannot be started.
 */
export async function runProgram(
  options: ProgramOptions,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ProgramResult> {
  throwIfAborted(signal, options.program);
  const child = spawnProgram(options, ["ignore", "pipe", "pipe"]);
  const output = new OutputTail();
  output.follow(child.stdout);
  output.follow(child.stderr);
  const stopListening = onAbort(signal, () => void child.kill("SIGTERM"));
  try {
    const end = await closed(child);
    throwIfAborted(signal, options.program);
    return { ...end, output: output.text };
  } finally {
    stopListening();
  }
}

async function closed(child: ChildProcess): Promise<ProgramEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<ProgramEnd>();
  child.once("error", reject);
  child.once("close", (code, signal) => resolve({ code, signal }));
  return await promise;
}

/** How a program ended, in words. */
export function describeEnd({ code, signal }: ProgramEnd): string {
  return signal === null ? `with exit code ${code}` : `by ${signal}`;
}

class OutputTail {
  text = "";

  follow(stream: Readable | null): void {
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      this.text = (this.text + chunk).slice(-KEPT_OUTPUT_CHARACTERS);
    });
  }
}
