import { spawn } from "node:child_process";
import { once } from "node:events";

/** Longer than any of it takes on a machine that is not about to give up. */
const TIMEOUT_MS = 10_000;

/** What the service manager wants to be told. */
export interface NotifyRequest {
  /** How often it wants a sign of life, at least; `undefined`: never. */
  readonly watchdogMs: number | undefined;
}

/**
 * Whether a service manager asks to be told, by the variables that systemd sets for its services.
 *
 * @throws RangeError, naming the variable
 */
export function notifyRequest(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): NotifyRequest | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env;
  if (socket === undefined || socket === "") {
    return undefined;
  }
  if (usec === undefined || (watched !== undefined && watched !== String(pid))) {
    return { watchdogMs: undefined };
  }
  if (!/^[1-9]\d{0,14}$/.test(usec)) {
    throw new RangeError(`WATCHDOG_USEC: "${usec}" is not a number of microseconds`);
  }
  return { watchdogMs: Number(usec) / 1000 };
}

/**
 * Tells the service manager, through the program that comes with systemd: Node has no datagram sockets
 * of Unix. Rejects, in one line, when it was not told.
 */
export async function notifyServiceManager(
  fields: readonly string[],
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const child = spawn("systemd-notify", [`--pid=${process.pid}`, ...fields], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: TIMEOUT_MS,
    signal,
    killSignal: "SIGKILL",
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  await once(child, "close");
  const { exitCode, signalCode } = child;
  if (exitCode !== 0) {
    const how = signalCode ?? `exit code ${exitCode}`;
    throw new Error(`systemd-notify: ${complaint.trim() || how}`);
  }
}
