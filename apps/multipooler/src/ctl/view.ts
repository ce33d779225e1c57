import type { Interruption } from "../interruption.ts";
import { passingFault } from "./call-fault.ts";
import { jsonText } from "./output.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput, PoolerCall } from "./pooler-call.ts";
import type { WatchOptions } from "./watch-options.ts";
import { watch, watchIntervalMs } from "./watching.ts";

/** What a command shows, for people and as JSON. */
export interface View {
  readonly text: string;
  readonly json: unknown;
}

/** Prints a view of a pooler, with `--watch` again and again until Ctrl-C. Resolves with the exit code. */
export function showView(
  options: WatchOptions,
  io: CtlOutput,
  { signal }: Pick<Interruption, "signal">,
  look: (call: PoolerCall) => Promise<View>,
): Promise<number> {
  const { json, address } = options;
  const intervalMs = watchIntervalMs(options.interval);
  return callPooler(options, io, async (call) => {
    const { output } = call;
    const interruptible = { ...call, request: { ...call.request, signal } };
    if (!options.watch) {
      const view = await look(interruptible);
      await output.write(json ? jsonText(view.json) : view.text);
      return;
    }
    const isTerminal = io.stdout.isTTY === true && !json;
    const faultOf = (error: unknown): string | undefined => passingFault(error, address);
    await watch({ intervalMs, signal, output, isTerminal, faultOf }, async function* views() {
      const view = await look(interruptible);
      // A line for each where there are several.
      yield json ? jsonText(view.json, { indent: 0 }) : view.text;
    });
  });
}
