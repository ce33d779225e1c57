import { printable } from "@multipooler/text-table";
import { untilAborted } from "@multipooler/timing";
import { TopoErrorCode, isTopoError } from "@multipooler/topo";
import type { TopoError } from "@multipooler/topo";
import { explain } from "../fault.ts";
import type { Interruption } from "../interruption.ts";
import { jsonText } from "./output.ts";
import { withTopology } from "./topo-command.ts";
import type { TopoIo, TopoOptions, TopoSession } from "./topo-command.ts";
import type { View } from "./view.ts";
import type { WatchOptions } from "./watch-options.ts";
import { watch, watchIntervalMs } from "./watching.ts";

/** Of a command that shows the topology. */
export type TopoViewOptions = TopoOptions & Pick<WatchOptions, "watch" | "interval">;

/** What a command shows of the topology. */
export interface TopoView extends View {
  /** Why the rest is missing. */
  readonly errors: readonly TopoError[];
}

/** Prints a view of the topology, with `--watch` again and again until Ctrl-C. Resolves with the exit code. */
export function showTopology(
  options: TopoViewOptions,
  io: TopoIo,
  { signal }: Pick<Interruption, "signal">,
  look: (session: TopoSession) => Promise<TopoView>,
): Promise<number> {
  const intervalMs = watchIntervalMs(options.interval);
  return withTopology(options, io, async (session) => {
    const { output, json, complain } = session;
    if (!options.watch) {
      const view = await untilAborted(look(session), signal);
      await output.write(json ? jsonText(view.json) : view.text);
      view.errors.map(explain).forEach(complain);
      return view.errors.length === 0 ? 0 : 1;
    }
    const isTerminal = io.stdout.isTTY === true && !json;
    await watch({ intervalMs, signal, output, isTerminal, faultOf }, async function* views() {
      const view = await untilAborted(look(session), signal);
      const faults = view.errors.map(explain);
      if (isTerminal) {
        // The screen is the view's alone.
        yield view.text + faults.map((fault) => `${printable(fault)}\n`).join("");
        return;
      }
      yield json ? jsonText(view.json, { indent: 0 }) : view.text;
      faults.forEach(complain);
    });
    return 0;
  });
}

/** A topology that is away is waited for. */
function faultOf(error: unknown): string | undefined {
  return isTopoError(error, TopoErrorCode.Unavailable, TopoErrorCode.Timeout)
    ? printable(explain(error))
    : undefined;
}
