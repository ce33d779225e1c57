import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const LOOPBACK = "127.0.0.1";
const PROBE_DEADLINE_MS = 2_000;
const POLL_MS = 50;

/** What the pooler's `/ready` says. */
export interface Readiness {
  readonly ready: boolean;
  /** Why not, in the pooler's words. */
  readonly reason: string | undefined;
  /** The same for programs. */
  readonly code?: string | undefined;
}

/** What no time cures: the server has not, or may not change, the data of its shard. */
const LASTING: ReadonlySet<string> = new Set(["DIVERGED", "SECOND_PRIMARY", "WRONG_CLUSTER"]);

/** Whether waiting for the pooler is of no use. */
export function isLasting({ code }: Readiness): boolean {
  return code !== undefined && LASTING.has(code);
}

/** Asks the pooler's `/ready`; undefined when nobody answers as a pooler does. */
export async function probe(httpPort: number): Promise<Readiness | undefined> {
  try {
    const response = await fetch(`http://${LOOPBACK}:${httpPort}/ready`, {
      signal: AbortSignal.timeout(PROBE_DEADLINE_MS),
    });
    const body: unknown = await response.json();
    if (typeof body !== "object" || body === null || !("ready" in body)) {
      return undefined;
    }
    const reason = "reason" in body && typeof body.reason === "string" ? body.reason : undefined;
    const code = "code" in body && typeof body.code === "string" ? body.code : undefined;
    return { ready: body.ready === true, reason, code };
  } catch {
    return undefined;
  }
}

/**
 * Asks `/ready` until it says `wanted`, or is never going to, or the signal aborts; returns what it said
 * last.
 */
export async function untilReady(
  wanted: boolean,
  httpPort: number,
  { signal, pollMs = POLL_MS }: { signal: AbortSignal; pollMs?: number },
): Promise<Readiness | undefined> {
  let last: Readiness | undefined;
  while (!signal.aborted) {
    last = (await probe(httpPort)) ?? last;
    if (last?.ready === wanted || (wanted && last !== undefined && isLasting(last))) {
      return last;
    }
    await delay(pollMs, undefined, { signal }).catch(() => undefined);
  }
  return last;
}

/** True when something on this machine accepts connections on the port. */
export async function isListening(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, LOOPBACK);
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
