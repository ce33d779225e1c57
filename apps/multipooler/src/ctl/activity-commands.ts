import type { Command } from "commander";
import type { ActivityTable } from "./activity.ts";
import { withClientOptions } from "./client-options.ts";
import { withExplain } from "./explanation.ts";
import type { KillOptions } from "./kill.ts";
import type { TopOptions } from "./top.ts";
import { withInterval, withWatch } from "./watch-options.ts";
import type { WatchOptions } from "./watch-options.ts";

/** The implementations of these commands; each resolves with the exit code. */
export interface ActivityActions {
  table(what: ActivityTable, options: WatchOptions): Promise<number>;
  top(options: TopOptions): Promise<number>;
  kill(id: string, options: KillOptions): Promise<number>;
}

/** Declares the commands that show and end what clients hold. */
export function addActivityCommands(
  ctl: Command,
  actions: ActivityActions,
  exit: (code: number) => void,
): void {
  const tables = {
    pools: "Print the connections to PostgreSQL by user and database, and who waits for some.",
    clients: "Print the clients of PostgreSQL's protocol, and what each does since when.",
    reservations: "Print who keeps a connection between its statements, since when and why.",
  } as const satisfies Record<ActivityTable, string>;
  for (const what of ["pools", "clients", "reservations"] as const) {
    withWatch(withClientOptions(ctl.command(what)))
      .description(tables[what])
      .action(async (options: WatchOptions) => exit(await actions.table(what, options)));
  }
  withInterval(withClientOptions(ctl.command("top")))
    .description("Show what the pooler does, and for whom, until Ctrl-C.")
    .option("--json", "print status and activity as JSON, a line each time", false)
    .action(async (options: TopOptions) => exit(await actions.top(options)));
  withExplain(withClientOptions(ctl.command("kill")))
    .description("End a client of PostgreSQL's protocol; its transaction is rolled back.")
    .argument("<id>", "its id, as `ctl clients` shows it")
    .option("--reservation", "the id is that of a reservation (`ctl reservations`)", false)
    .option("--json", "print the answer as JSON", false)
    .action(async (id: string, options: KillOptions) => exit(await actions.kill(id, options)));
}
