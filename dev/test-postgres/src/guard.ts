import { spawn } from "node:child_process";
import { Socket } from "node:net";

/**
 * Waits for its standard input to end. A line before that means that all was stopped in good order; none
 * means that the owner died, even by SIGKILL: then the server is shut down, and the directory is removed.
 * The lock file may be that of a server which died before, and its PID another program's by now.
 */
const SCRIPT = `
if read -r released; then exit 0; fi
if cd "$1" && read -r pid <postmaster.pid; then
  if [ ! -d /proc/self ] || [ "$(readlink "/proc/$pid/cwd")" = "$(pwd -P)" ]; then
    kill -QUIT "$pid"
    while kill -0 "$pid"; do sleep 0.1; done
  fi
fi
cd /
rm -rf -- "$2"
`;

/** A guard process: as long as it is not released, no server outlives this process. */
export interface Guard {
  /** Ends the guard because the server has ended; resolves when its process is gone. */
  release(): Promise<void>;
}

/** Guards whichever server runs on the data, and the directory that goes with it. */
export function guard(dataDir: string, temporaryDir: string): Guard {
  const child = spawn("/bin/sh", ["-c", SCRIPT, "sh", dataDir, temporaryDir], {
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
