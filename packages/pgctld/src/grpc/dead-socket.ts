import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { hasErrno, ioFailed } from "../error.ts";

/**
 * Removes a unix socket that nobody listens on: its process was killed, or it would have removed it.
 * Leaves everything else where it is. Rejects with IO_FAILED.
 */
export async function removeDeadSocket(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isSocket() && (await isDead(path))) {
      await unlink(path);
    }
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) {
      throw ioFailed(`${path} cannot be taken over`, error);
    }
  }
}

async function isDead(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(false));
  socket.once("error", (error) => resolve(hasErrno(error, "ECONNREFUSED")));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
