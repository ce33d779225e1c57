import { sleep, systemClock } from "@multipooler/timing";
import { ConfigError } from "../settings/config.ts";
import { duration } from "../settings/setting.ts";
import type { Output } from "./output.ts";

/** How a view is shown again and again. */
export interface Watching {
  /** How long after a view's end it is asked for again. */
  readonly intervalMs: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly output: Output;
  /** Each view replaces the one before. */
  readonly isTerminal: boolean;
  /** What a terminal shows in place of a view that failed and may come again; `undefined`: that ends it. */
  readonly faultOf: (error: unknown) => string | undefined;
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

/** Where views come from: one that was asked for, or all that a pooler sends by itself. */
export type Views = () => AsyncIterable<string>;

/**
 * Shows views, and asks for more, until the signal aborts. On a terminal what does not answer is
 * waited for; elsewhere that ends it with the error.
 */
export async function watch(watching: Watching, views: Views): Promise<void> {
  const { intervalMs, signal, output, isTerminal } = watching;
  if (isTerminal) {
    await output.write(ENTER_SCREEN);
  }
  const ended = AbortSignal.any([signal, output.closed]);
  try {
    while (!ended.aborted) {
      for await (const text of interruptible(views, watching)) {
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

/** The views; an interruption ends them. What is wrong for now is one on a terminal. */
async function* interruptible(
  views: Views,
  { signal, isTerminal, faultOf }: Watching,
): AsyncGenerator<string, void, void> {
  try {
    yield* views();
  } catch (error) {
    if (signal.aborted) {
      return;
    }
    const fault = isTerminal ? faultOf(error) : undefined;
    if (fault === undefined) {
      throw error;
    }
    yield `${fault}\n`;
  }
}
