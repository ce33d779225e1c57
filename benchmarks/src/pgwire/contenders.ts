import { startPooler } from "@multipooler/pooler-process";
import type { TestPostgres } from "@multipooler/test-postgres";
import type { Resources } from "../resources.ts";
import type { Address } from "./pgbench.ts";
import { Pgbouncer } from "./pgbouncer.ts";

/** Connections to PostgreSQL that each pooler has for the clients. */
const POOL_SIZE = 16;
const READY_LIMIT_MS = 30_000;

/** One way from a client to PostgreSQL. */
export interface Contender {
  readonly name: "direct" | "pgbouncer" | "ours";
  readonly address: Address;
  /** The pooler's process, if there is one. */
  readonly pid: number | undefined;
}

/** Starts both poolers in front of `postgres`. */
export async function startContenders(
  resources: Resources,
  postgres: TestPostgres,
  { pgbouncer, maxClients }: { readonly pgbouncer: string; readonly maxClients: number },
): Promise<readonly Contender[]> {
  const { host, port, user } = postgres;
  const direct: Address = { host, port, user };
  const bouncer = await resources.open(() =>
    Pgbouncer.start({
      program: pgbouncer,
      postgres: direct,
      poolSize: POOL_SIZE,
      maxClients,
    }),
  );
  const pooler = await resources.open(() =>
    startPooler({
      flags: {
        "pg-host": host,
        "pg-port": String(port),
        "initial-pooler-type": "primary",
        "connpool-global-capacity": String(POOL_SIZE),
        "pg-listen-port": "0",
        "pg-trust-loopback": "on",
        "pg-max-clients": String(maxClients),
      },
    }),
  );
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  const ours = addressOf(await pooler.pgwire(), user);
  return [
    { name: "direct", address: direct, pid: undefined },
    { name: "pgbouncer", address: bouncer.address, pid: bouncer.pid },
    { name: "ours", address: ours, pid: pooler.pid },
  ];
}

function addressOf(text: string, user: string): Address {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)), user };
}
