import { GrpcStatusError } from "@multipooler/grpc-services/client";
import { sleep, systemClock } from "@multipooler/timing";
import { ConfigError } from "../settings/config.ts";
import { duration } from "../settings/setting.ts";
import { callFault } from "./call-fault.ts";
import type { Output } from "./output.ts";

/** How a view is shown again and again. */
export interface Watching {
  readonly intervalMs: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly output: Output;
  /** Each view replaces the one before. */
  readonly isTerminal: boolean;
  /** For people, in what is said of a pooler that does not answer. */
  readonly address: string;
}

/** To the upper left, and what is below goes. */
const CLEAR = "\u001b[H\u001b[J";
/** The screen of its own that a terminal has for programs, without a cursor; and back. */
const ENTER_SCREEN = "\u001b[?1049h\u001b[?25l";
const LEAVE_SCREEN = "\u001b[?25h\u001b[?1049l";

const interval = duration({ min: 100, max: 3_600_000 });

/**
 * Parses `--interval` to milliseconds.
 *
 * @throws ConfigError if it is not a duration from 100 ms to an hour
 */
export function watchIntervalMs(text: string): number {
  const parsed = interval.schema.safeParse(text);
  if (!parsed.success) {
    throw new ConfigError([
      `--interval: ${JSON.stringify(text)} ${parsed.error.issues[0]?.message ?? "is not valid"}`,
    ]);
  }
  return parsed.data;
}

/**
 * Shows a view until the signal aborts. On a terminal a pooler that does not answer is waited for;
 * elsewhere that ends it with the error.
 */
export async function watch(watching: Watching, view: () => Promise<string>): Promise<void> {
  const { intervalMs, signal, output, isTerminal } = watching;
  if (isTerminal) {
    await output.write(ENTER_SCREEN);
  }
  const ended = AbortSignal.any([signal, output.closed]);
  try {
    while (!ended.aborted) {
      const text = await viewText(view, watching);
      if (text !== undefined) {
        await output.write(isTerminal ? `${CLEAR}${text}` : text);
      }
      await sleep(systemClock, intervalMs, ended);
    }
  } finally {
    if (isTerminal && !output.closed.aborted) {
      await output.write(LEAVE_SCREEN);
    }
  }
}

/** `undefined`: it was interrupted. */
async function viewText(
  view: () => Promise<string>,
  { signal, isTerminal, address }: Watching,
): Promise<string | undefined> {
  try {
    return await view();
  } catch (error) {
    if (signal.aborted) {
      return undefined;
    }
    if (isTerminal && error instanceof GrpcStatusError && isPassing(error)) {
      return `${callFault(error, address)}\n`;
    }
    throw error;
  }
}

function isPassing({ code }: GrpcStatusError): boolean {
  return code === "UNAVAILABLE" || code === "DEADLINE_EXCEEDED";
}
