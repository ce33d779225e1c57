import { connect } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { PgwireServer } from "@multipooler/pgwire-services";
import type { PoolerManager } from "@multipooler/pgwire-services";
import { GatewaySession } from "./gateway-session.ts";
import { recordingClient } from "./recorded-call.ts";
import type { RecordedCall } from "./recorded-call.ts";

const logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const SERVING = 0;
const PRIMARY = 1;

/**
 * Stands in for Multigres' gateway: a front for clients of PostgreSQL's protocol that uses a pooler
 * through its query service alone, in the order and with the fields of the contract.
 */
export class GatewayStandIn implements AsyncDisposable {
  readonly #server: PgwireServer;
  readonly #pooler: PoolerClient;
  /** Every call that it has made, in order. */
  readonly calls: readonly RecordedCall[];

  private constructor(server: PgwireServer, pooler: PoolerClient, calls: readonly RecordedCall[]) {
    this.#server = server;
    this.#pooler = pooler;
    this.calls = calls;
  }

  /** Waits for the pooler to say that it is the primary, then listens. */
  static async before(address: string, signal: AbortSignal): Promise<GatewayStandIn> {
    const calls: RecordedCall[] = [];
    const pooler = recordingClient(connect({ address }), (call) => calls.push(call));
    const server = new PgwireServer({
      manager: managerOf(pooler),
      host: "127.0.0.1",
      port: 0,
      failedLoginDelayMs: 0,
      logger,
    });
    server.offer("session");
    await untilPrimary(pooler, signal);
    await server.listen();
    return new GatewayStandIn(server, pooler, calls);
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close({ signal: AbortSignal.timeout(5000) });
    this.#pooler.close();
  }
}

async function untilPrimary(pooler: PoolerClient, signal: AbortSignal): Promise<void> {
  for await (const { servingStatus, routingState } of pooler.streamPoolerHealth({ signal })) {
    if (servingStatus === SERVING && routingState?.role === PRIMARY) {
      return;
    }
  }
  throw new Error("the pooler ended first");
}

/** What the listener asks for at each login. */
function managerOf(pooler: PoolerClient): PoolerManager {
  const noCall = (): Promise<never> => Promise.reject(new Error("a listener makes no calls"));
  return {
    queryServiceControl: () => ({
      getExecutor: () => ({
        streamExecute: noCall,
        describe: noCall,
        copyIn: noCall,
        copyOut: noCall,
        concludeTransaction: noCall,
        discardTempTables: noCall,
        releaseReservation: noCall,
        subscribe: () => {
          throw new Error("a listener makes no calls");
        },
        getCredentials: async ({ database, user }, { signal } = {}) => {
          const { scramHash, isReplicationRole } = await pooler.getAuthCredentials(
            { database, username: user },
            { signal },
          );
          return { scramVerifier: scramHash, isReplicationRole };
        },
        openSession: (caller, client) =>
          Promise.resolve(new GatewaySession(pooler, caller, client)),
      }),
    }),
  };
}
