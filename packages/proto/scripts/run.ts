import { execFile } from "node:child_process";
import { delimiter, resolve } from "node:path";
import { promisify } from "node:util";
import { packageDirectory } from "./paths.ts";

const execute = promisify(execFile);

/** The output of a program that ended well; it is bounded by 64 MiB. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Runs a program without a shell and resolves to what it printed. Tools that this package depends
 * on, and the plugins that they look for, are found wherever it is called from.
 *
 * Rejects with what the program printed when it fails.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string },
): Promise<Buffer> {
  const tools = resolve(packageDirectory, "node_modules/.bin");
  try {
    const { stdout } = await execute(program, args, {
      cwd: options.cwd,
      encoding: "buffer",
      env: { ...process.env, PATH: `${tools}${delimiter}${process.env["PATH"] ?? ""}` },
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    return stdout;
  } catch (error) {
    throw new Error(`${program} ${args.join(" ")}: ${describe(error)}`, { cause: error });
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const printed = ["stdout", "stderr"].map((stream) => {
    const output: unknown = Reflect.get(error, stream);
    return Buffer.isBuffer(output) ? output.toString() : "";
  });
  const text = printed.join("").trim();
  return text === "" ? error.message : text;
}
