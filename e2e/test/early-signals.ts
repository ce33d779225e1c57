import { readFileSync } from "node:fs";

/**
 * An option for Node that makes the program send itself these signals when it begins to load a
 * module of its own besides `main.js` and what that imports statically.
 */
export function signalsWhileLoading(signals: readonly NodeJS.Signals[]): string {
  const hook = `
    import { registerHooks } from "node:module";
    let sent = false;
    registerHooks({
      load(url, context, next) {
        if (!sent && url.endsWith("/dist/program.js")) {
          sent = true;
          for (const name of ${JSON.stringify(signals)}) process.kill(process.pid, name);
        }
        return next(url, context);
      },
    });`;
  return `--import=data:text/javascript,${encodeURIComponent(hook)}`;
}

/** Resolves as soon as the process handles SIGHUP. Linux only. */
export async function handlesHangup(pid: number): Promise<void> {
  for (;;) {
    const caught = /^SigCgt:\s+([\da-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    if ((BigInt(`0x${caught ?? "0"}`) & 1n) === 1n) {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
