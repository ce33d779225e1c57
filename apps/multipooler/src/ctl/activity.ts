import {
  ClientActivity,
  PoolActivity,
  ReservationActivity,
} from "@multipooler/proto/operations-v1";
import type { GetActivityResponse } from "@multipooler/proto/operations-v1";
import type { ClientOptions } from "./client-options.ts";
import type { Interruption } from "../interruption.ts";
import { clientTable, pinnedClients, poolTable, reservationTable } from "./activity-tables.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput } from "./pooler-call.ts";
import { watch, watchIntervalMs } from "./watching.ts";

/** What a command shows of an activity. */
interface ActivityView {
  readonly table: (activity: GetActivityResponse) => string;
  /** What JSON is made of. */
  readonly json: (activity: GetActivityResponse) => unknown;
}

/** The commands, by their name. */
const VIEWS = {
  pools: { table: poolTable, json: ({ pools }) => pools.map((one) => PoolActivity.toJSON(one)) },
  clients: {
    table: clientTable,
    json: ({ clients }) => clients.map((one) => ClientActivity.toJSON(one)),
  },
  reservations: {
    table: reservationTable,
    json: (found) => ({
      reservations: found.reservations.map((one) => ReservationActivity.toJSON(one)),
      clients: pinnedClients(found).map((one) => ClientActivity.toJSON(one)),
    }),
  },
} as const satisfies Readonly<Record<string, ActivityView>>;
export type ActivityTable = keyof typeof VIEWS;

export interface ActivityOptions extends ClientOptions {
  readonly json: boolean;
  readonly watch: boolean;
  /** A duration as text. */
  readonly interval: string;
}

/** `ctl pools`, `ctl clients`, `ctl reservations`: prints a table, with `--watch` until Ctrl-C. */
export function activity(
  what: ActivityTable,
  options: ActivityOptions,
  io: CtlOutput,
  { signal }: Pick<Interruption, "signal">,
): Promise<number> {
  const { json, address } = options;
  const intervalMs = watchIntervalMs(options.interval);
  return callPooler(options, io, async ({ client, request, output }) => {
    const view = async (): Promise<string> => {
      const found = await client.getActivity({ ...request, signal });
      // A line for each view where there are several.
      const indent = options.watch ? undefined : 2;
      return json
        ? `${JSON.stringify(VIEWS[what].json(found), undefined, indent)}\n`
        : VIEWS[what].table(found);
    };
    if (options.watch) {
      const isTerminal = io.stdout.isTTY === true && !json;
      await watch({ intervalMs, signal, output, isTerminal, address }, async function* views() {
        yield await view();
      });
    } else {
      await output.write(await view());
    }
  });
}
