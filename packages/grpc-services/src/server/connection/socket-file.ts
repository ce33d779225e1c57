import { once } from "node:events";
import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import type { Server } from "node:net";

/** Listens on a Unix socket. The file that a process has left which was killed is taken over. */
export async function listenOnSocketFile(listener: Server, path: string): Promise<void> {
  try {
    await listen(listener, path);
  } catch (error) {
    if (errnoOf(error) !== "EADDRINUSE" || !(await isLeftOver(path))) {
      throw error;
    }
    await unlink(path);
    await listen(listener, path);
  }
}

async function listen(listener: Server, path: string): Promise<void> {
  listener.listen(path);
  await once(listener, "listening");
}

/** Whether it is a socket that nobody listens on. */
async function isLeftOver(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) {
    return false;
  }
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return false;
  } catch (error) {
    return errnoOf(error) === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}

function errnoOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
