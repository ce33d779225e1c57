import {
  ClientActivity,
  PoolActivity,
  ReservationActivity,
} from "@multipooler/proto/operations-v1";
import type { GetActivityResponse } from "@multipooler/proto/operations-v1";
import type { Interruption } from "../interruption.ts";
import { clientTable, pinnedClients, poolTable, reservationTable } from "./activity-tables.ts";
import type { CtlOutput } from "./pooler-call.ts";
import { showView } from "./view.ts";
import type { WatchOptions } from "./watch-options.ts";

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

/** `ctl pools`, `ctl clients`, `ctl reservations`: prints a table. Resolves with the exit code. */
export function activity(
  what: ActivityTable,
  options: WatchOptions,
  io: CtlOutput,
  interruption: Pick<Interruption, "signal">,
): Promise<number> {
  return showView(options, io, interruption, async ({ client, request }) => {
    const found = await client.getActivity(request);
    return { text: VIEWS[what].table(found), json: VIEWS[what].json(found) };
  });
}
