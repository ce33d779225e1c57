import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import { PgctldServer } from "@multipooler/pgctld";
import type { Terminal } from "./terminal.ts";

/** Where the pooler of a server asks for restarts, as `--pgctld-addr` takes it. */
export function controlAddress(server: EmbeddedPostgres): string {
  return `unix:${socketOf(server)}`;
}

/** Lets the pooler of a server restart it, as a change of roles needs it. */
export async function serveControl(
  server: EmbeddedPostgres,
  terminal: Terminal,
): Promise<PgctldServer> {
  // One of an `npm start` that was killed.
  await rm(socketOf(server), { force: true });
  const daemon = new PgctldServer({
    control: server.control,
    address: controlAddress(server),
    logger: { info: () => undefined, warn: (_, message) => terminal.print(message) },
  });
  await daemon.listen();
  return daemon;
}

function socketOf({ socketDir }: EmbeddedPostgres): string {
  return join(socketDir, "pgctld.sock");
}
