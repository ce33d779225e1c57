import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { GatewayStandIn } from "../gateway/gateway-stand-in.ts";
import type { ClientAddress } from "./client-pooler.ts";
import { READY_LIMIT_MS, servingPooler } from "./serving-pooler.ts";

/** The stand-in of a gateway in front of the program, in front of a PostgreSQL with passwords. */
export class GatewayPooler implements AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly gateway: GatewayStandIn;
  readonly #pooler: PoolerProcess;

  private constructor(postgres: TestPostgres, pooler: PoolerProcess, gateway: GatewayStandIn) {
    this.postgres = postgres;
    this.#pooler = pooler;
    this.gateway = gateway;
  }

  static async start(): Promise<GatewayPooler> {
    await using parts = new AsyncDisposableStack();
    const postgres = parts.use(await startPostgres({ auth: "scram-sha-256" }));
    const pooler = parts.use(
      await servingPooler(postgres, { "connpool-admin-password": postgres.password }),
    );
    const signal = AbortSignal.timeout(READY_LIMIT_MS);
    const gateway = await GatewayStandIn.before(await pooler.grpc(), signal);
    parts.move();
    return new GatewayPooler(postgres, pooler, gateway);
  }

  /** Where clients connect. */
  get address(): ClientAddress {
    const { user, password } = this.postgres;
    return { host: "127.0.0.1", port: this.gateway.port, user, password, database: "postgres" };
  }

  /** A client of node-postgres that is logged in. */
  async connect(options: pg.ClientConfig = {}): Promise<pg.Client> {
    const client = new pg.Client({ ...this.address, ...options });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.#pooler[Symbol.asyncDispose]();
    await this.postgres[Symbol.asyncDispose]();
  }
}
