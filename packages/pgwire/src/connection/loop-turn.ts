/** Has bytes to write. An error that `flush` throws becomes an uncaught exception. */
export interface Flushable {
  flush(): void;
}

/** Those of one side that are to be flushed; the array is used over and over. */
interface Side {
  readonly targets: (Flushable | undefined)[];
  count: number;
}

const BACKENDS: Side = { targets: [], count: 0 };
const CLIENTS: Side = { targets: [], count: 0 };
let isScheduled = false;
/** When this turn began, if `isScheduled`; on the clock of `performance.now()`. */
let beganMs = 0;
/** How long the last turn has worked. */
let lastWorkMs = 0;

/**
 * How long this turn of the event loop and the one before have worked by `now`, of `performance.now()`. For
 * that long, an answer may have lain unread, or a request unsent.
 */
export function turnWorkMs(now: number): number {
  return isScheduled ? lastWorkMs + now - beganMs : lastWorkMs;
}

/**
 * Calls `target.flush()` once, at the end of this turn of the event loop, when the sockets that are
 * readable now have all been read: those of backends first, then those of clients. What was written
 * for one socket meanwhile leaves in one system call, and the server works while clients are
 * answered. A target schedules itself once for each flush.
 */
export function scheduleFlush(side: "backend" | "client", target: Flushable): void {
  const list = side === "backend" ? BACKENDS : CLIENTS;
  list.targets[list.count] = target;
  list.count += 1;
  if (!isScheduled) {
    isScheduled = true;
    beganMs = performance.now();
    setImmediate(flushAll);
  }
}

function flushAll(): void {
  const began = beganMs;
  isScheduled = false;
  // What a flush schedules leaves in the next turn.
  const backendCount = BACKENDS.count;
  const clientCount = CLIENTS.count;
  flushSide(BACKENDS, backendCount);
  flushSide(CLIENTS, clientCount);
  lastWorkMs = performance.now() - began;
}

function flushSide(side: Side, count: number): void {
  for (let index = 0; index < count; index += 1) {
    flushOne(side.targets[index]);
  }
  const left = side.count - count;
  for (let index = 0; index < side.count; index += 1) {
    side.targets[index] = index < left ? side.targets[count + index] : undefined;
  }
  side.count = left;
}

function flushOne(target: Flushable | undefined): void {
  try {
    target?.flush();
  } catch (error) {
    // A fault of one target is not that of the others.
    queueMicrotask(() => {
      throw error;
    });
  }
}
