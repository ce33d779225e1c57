import type { Duplex } from "node:stream";
import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";

/** How long a server may take to close its end after a polite goodbye. */
const GOODBYE_TIMEOUT_MS = 500;

/**
 * Resolves when the sockets, to which goodbye was said, are closed; those that still are not after
 * half a second are destroyed, since a server that hangs never closes its end.
 */
export async function awaitClosed(sockets: Iterable<Duplex>, clock: Clock): Promise<void> {
  const open = [...sockets].filter((socket) => !socket.closed);
  const closed = Promise.all(
    open.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve()))),
  );
  using deadline = new Deadline({ clock, ms: GOODBYE_TIMEOUT_MS, what: "closing" });
  await untilAborted(closed, deadline.signal).catch(() => undefined);
  for (const socket of open) {
    socket.destroy();
  }
  await closed;
}
