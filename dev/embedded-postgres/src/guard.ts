import { spawn } from "node:child_process";
import { Socket } from "node:net";

/**
 * Waits for its standard input to end. A line before that means that the server was stopped in
 * good order; none means that the owner died, even by SIGKILL: then the server is shut down, and
 * the temporary directory, if any, is removed.
 */
const SCRIPT = `
if read -r released; then exit 0; fi
kill -"$1" "$2" 2>/dev/null
while kill -0 "$2" 2>/dev/null; do sleep 0.1; done
if [ -n "$3" ]; then rm -rf -- "$3"; fi
`;

/** A guard process: as long as it is not released, the server does not outlive this process. */
export interface Guard {
  /** Ends the guard because the server has ended; resolves when its process is gone. */
  release(): Promise<void>;
}

/** Guards the server `pid`; `temporaryDir` is what to remove together with it. */
export function guard(pid: number, temporaryDir: string | undefined): Guard {
  const signal = temporaryDir === undefined ? "INT" : "QUIT"; // fast, or immediate: nobody needs the data
  const child = spawn("/bin/sh", ["-c", SCRIPT, "sh", signal, String(pid), temporaryDir ?? ""], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const gone = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  child.stdin.on("error", () => {}); // Somebody killed the guard: there is nobody to tell.
  child.unref();
  if (child.stdin instanceof Socket) {
    child.stdin.unref();
  }
  return {
    async release() {
      child.ref();
      child.stdin.end("released\n");
      await gone;
    },
  };
}
