import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";

/** Whether a command succeeded, and its output: both streams in the order of writing. */
export interface CommandResult {
  readonly ok: boolean;
  readonly output: string;
}

/** Where and for how long a command runs. */
export interface CommandOptions {
  readonly cwd: string;
  /** Folder with the `node_modules/.bin` whose programs are found first; `cwd` when missing. */
  readonly tools?: string;
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: five minutes. */
  readonly timeoutMs?: number;
}

/** Runs a program without a shell, without colours and without input. Never rejects. */
export function command(
  program: string,
  args: readonly string[],
  { cwd, tools = cwd, env = {}, timeoutMs = 300_000 }: CommandOptions,
): Promise<CommandResult> {
  // Tools that start `node` get the one that runs this, not an older one of the machine.
  const folders = [join(tools, "node_modules", ".bin"), dirname(process.execPath)];
  const path = [...folders, process.env["PATH"]].join(delimiter);
  const child = spawn(program, args, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    env: { ...process.env, ...env, PATH: path, CI: "1", NO_COLOR: "1" },
  });
  const chunks: Buffer[] = [];
  const keep = (chunk: Buffer): void => void chunks.push(chunk);
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return new Promise((resolve) => {
    const end = (ok: boolean, note = ""): void =>
      resolve({
        ok,
        output: `${stripVTControlCharacters(Buffer.concat(chunks).toString()).trimEnd()}${note}`,
      });
    child.once("error", (error) => end(false, `\n${program}: ${error.message}`));
    child.once("close", (code, signal) =>
      end(code === 0, signal === null ? "" : `\n${program} was ended by ${signal}`),
    );
  });
}

/** Maps `items`, at most `limit` at a time, and keeps their order. */
export async function mapLimited<Item, Result>(
  items: readonly Item[],
  limit: number,
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      results[index] = await map(item);
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}
