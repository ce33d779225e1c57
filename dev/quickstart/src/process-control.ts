import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PgctldServer } from "@multipooler/pgctld";
import type { LocalPostgres } from "@multipooler/pgctld";
import type { Places } from "./places.ts";
import type { Terminal } from "./terminal.ts";

/** Where the pooler of a server asks for restarts, as `--pgctld-addr` takes it. */
export function controlAddress(places: Places): string {
  return `unix:${socketIn(places)}`;
}

/** Lets the pooler of a server restart it, as a change of roles needs it. */
export async function serveControl(
  control: LocalPostgres,
  { places, terminal }: { readonly places: Places; readonly terminal: Terminal },
): Promise<PgctldServer> {
  // That of an `npm start` whose PostgreSQL died is of no use any more.
  await rm(socketIn(places), { force: true });
  const daemon = new PgctldServer({
    control,
    address: controlAddress(places),
    logger: { info: () => undefined, warn: (_, message) => terminal.print(message) },
  });
  await daemon.listen();
  return daemon;
}

function socketIn({ sockets }: Places): string {
  return join(sockets, "pgctld.sock");
}
