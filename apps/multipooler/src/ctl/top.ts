import { StatusResponse } from "@multipooler/proto/manager-v1";
import { GetActivityResponse } from "@multipooler/proto/operations-v1";
import { passingFault } from "./call-fault.ts";
import type { ClientOptions } from "./client-options.ts";
import type { Interruption } from "../interruption.ts";
import { jsonText } from "./output.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import { topText } from "./top-text.ts";
import { watch, watchIntervalMs } from "./watching.ts";

export interface TopOptions extends ClientOptions {
  readonly json: boolean;
  /** A duration as text. */
  readonly interval: string;
}

const DEFAULT_LINES = 24;

/** `ctl top`: a view of the pooler that is renewed until Ctrl-C. Resolves with the exit code. */
export function top(
  options: TopOptions,
  io: CtlOutput,
  { signal }: Pick<Interruption, "signal">,
): Promise<number> {
  const intervalMs = watchIntervalMs(options.interval);
  return callPooler(options, io, async ({ client, request, output }) => {
    const { json } = options;
    const isTerminal = io.stdout.isTTY === true && !json;
    const call = { ...request, signal };
    let before: GetActivityResponse | undefined;
    const faultOf = (error: unknown): string | undefined => passingFault(error, options.address);
    await watch({ intervalMs, signal, output, isTerminal, faultOf }, async function* views() {
      const [status, activity] = await Promise.all([client.status(call), client.getActivity(call)]);
      if (json) {
        const shown = {
          status: StatusResponse.toJSON(status),
          activity: GetActivityResponse.toJSON(activity),
        };
        yield jsonText(shown, { indent: 0 });
        return;
      }
      const lines = isTerminal ? (io.stdout.rows ?? DEFAULT_LINES) : Number.POSITIVE_INFINITY;
      const text = topText({ status, activity, before, now: new Date() });
      before = activity;
      const shown = text.split("\n").slice(0, Math.max(1, lines - 1));
      yield `${shown.map((line) => cut(line, io.stdout.columns)).join("\n")}\n`;
    });
  });
}

/** A line that is too long would move what is below. */
function cut(line: string, columns: number | undefined): string {
  return columns === undefined ? line : line.slice(0, columns);
}
