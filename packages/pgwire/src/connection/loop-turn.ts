/** What has bytes to write. `flush` must not throw. */
export interface Flushable {
  flush(): void;
}

let backends: Flushable[] = [];
let clients: Flushable[] = [];
let isScheduled = false;

/**
 * Calls `target.flush()` once, at the end of this turn of the event loop, when the sockets that are
 * readable now have all been read: those of backends first, then those of clients. What was written
 * for one socket meanwhile leaves in one system call, and the server works while clients are
 * answered. A target schedules itself once for each flush.
 */
export function scheduleFlush(side: "backend" | "client", target: Flushable): void {
  (side === "backend" ? backends : clients).push(target);
  if (!isScheduled) {
    isScheduled = true;
    setImmediate(flushAll);
  }
}

function flushAll(): void {
  isScheduled = false;
  const turn = [backends, clients];
  backends = [];
  clients = [];
  for (const side of turn) {
    for (const target of side) {
      target.flush();
    }
  }
}
