import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";

/** @type {readonly NodeJS.Signals[]} */
const RELAYED = ["SIGINT", "SIGTERM", "SIGHUP"];
/** A terminal sends Ctrl-C to this process, and npm sends it again: that is one signal. */
const SAME_SIGNAL_MS = 300;

/**
 * @typedef {object} End
 * @property {number} code The exit code, as a shell gives it also for an end by a signal.
 * @property {number | undefined} interrupted The exit code for the signal that was passed on, if any.
 * @property {string} output What it printed, if that was collected.
 */

/**
 * Runs a program to its end. The program gets a session of its own, so that the terminal's signals
 * do not reach it: it gets each from here, once, and this process waits for its end.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {object} options
 * @param {NodeJS.ProcessEnv} options.env
 * @param {string} [options.cwd]
 * @param {"inherit" | "collect"} options.stdio `collect` gathers what it prints, and passes signals
 *   on to everything that it started.
 * @returns {Promise<End>} rejects when the program cannot be started
 */
export async function runProcess(file, args, { env, cwd, stdio }) {
  const collect = stdio === "collect";
  const child = spawn(file, args, {
    env,
    detached: true,
    stdio: collect ? ["ignore", "pipe", "pipe"] : "inherit",
    ...(cwd === undefined ? {} : { cwd }),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text) => (output += text));
  }
  /** @type {number | undefined} */
  let interrupted;
  const relay = signalRelay((signal) => {
    interrupted = signalCode(signal);
    if (collect) {
      signalGroup(child.pid, signal);
    } else {
      child.kill(signal);
    }
  });
  for (const signal of RELAYED) {
    process.on(signal, relay);
  }
  try {
    const [code, signal] = await once(child, "close");
    return { code: code ?? signalCode(signal), interrupted, output };
  } finally {
    for (const signal of RELAYED) {
      process.off(signal, relay);
    }
  }
}

/**
 * @param {number | undefined} leader
 * @param {NodeJS.Signals} signal
 */
function signalGroup(leader, signal) {
  if (leader === undefined) {
    return;
  }
  try {
    process.kill(-leader, signal);
  } catch {
    // The last process of the group has just ended.
  }
}

/**
 * A signal listener that passes a signal on unless the same one came a moment ago.
 *
 * @param {(signal: NodeJS.Signals) => void} send
 * @param {() => number} [now] milliseconds
 * @returns {(signal: NodeJS.Signals) => void}
 */
export function signalRelay(send, now = () => performance.now()) {
  /** @type {Map<NodeJS.Signals, number>} */
  const last = new Map();
  return (signal) => {
    const before = last.get(signal) ?? -Infinity;
    last.set(signal, now());
    if (now() - before > SAME_SIGNAL_MS) {
      send(signal);
    }
  };
}

/**
 * The exit code that a shell gives a program that ended by this signal.
 *
 * @param {NodeJS.Signals} signal
 */
function signalCode(signal) {
  return 128 + constants.signals[signal];
}
