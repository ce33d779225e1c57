import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The file that `multipooler` runs. */
export function programPath(): string {
  return fileURLToPath(
    new URL("dist/main.js", import.meta.resolve("@multipooler/multipooler/package.json")),
  );
}

/** The exit code and the output of a run of the program. */
export interface ProgramResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the program to its end, e.g. a `ctl` command. The environment is this process' without
 * what would configure the program, plus `env`. Ended with SIGKILL when the signal aborts.
 */
export async function runProgram(
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly input?: string;
    readonly signal?: AbortSignal;
  } = {},
): Promise<ProgramResult> {
  const child = spawn(process.execPath, [programPath(), ...args], {
    env: { ...programEnvironment(), ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    signal: options.signal,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => undefined).end(options.input ?? "");
  const { promise, resolve, reject } = Promise.withResolvers<ProgramResult>();
  child.once("error", reject);
  child.once("close", (code) => resolve({ code, stdout, stderr }));
  return promise;
}

const CONFIGURING = /^(?:MULTIPOOLER_|PG|MT_|CONNPOOL_|POSTGRES_)/;

/** This process' environment without the variables that the program reads settings from. */
export function programEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !CONFIGURING.test(name)),
  );
}
