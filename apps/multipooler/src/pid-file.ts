import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { ConfigError } from "./settings/config.ts";
import { fileFault } from "./file-fault.ts";

/**
 * Writes the process id to a file, over that of an earlier run. Disposing it removes the file,
 * unless another process has written its own id there.
 *
 * @throws ConfigError naming the file and the fault.
 */
export function writePidFile(path: string): Disposable {
  const content = `${process.pid}\n`;
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new ConfigError([`--pid-file: ${path}: ${fileFault(error)}`], { cause: error });
  }
  return { [Symbol.dispose]: () => remove(path, content) };
}

/** A file that cannot be removed is left: it must not turn a clean stop into a failure. */
function remove(path: string, content: string): void {
  try {
    if (readFileSync(path, "utf8") === content) {
      rmSync(path);
    }
  } catch {
    // Gone already, or no longer ours to remove.
  }
}
