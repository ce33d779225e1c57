import net from "node:net";
import { untilAborted } from "@multipooler/timing";
import pg from "pg";
import type { CallOptions } from "@multipooler/controller-api";
import { adminClientConfig } from "./admin-client-config.ts";
import { abortFault, dialFault, statementFault } from "./database-fault.ts";
import type { FaultContext } from "./database-fault.ts";
import { integerOf, onlyRow } from "./row.ts";
import type { Row } from "./row.ts";
import { awaitClosed } from "./socket-closing.ts";

/** What an open connection is made of. */
interface OpenConnection {
  readonly client: pg.Client;
  readonly socket: net.Socket;
  readonly processId: number;
  readonly context: FaultContext;
}

/**
 * A connection for writes that must be durable. It has no limit on statements: while a commit waits
 * for a synchronous standby, PostgreSQL ignores `statement_timeout` and a cancel commits locally,
 * so whoever gives up must end the backend, for which {@link processId} is kept.
 *
 * @see https://www.postgresql.org/docs/17/warm-standby.html#SYNCHRONOUS-REPLICATION
 */
export class DedicatedConnection {
  /** The backend's process, as `pg_terminate_backend` takes it. */
  readonly processId: number;
  readonly #client: pg.Client;
  readonly #socket: net.Socket;
  readonly #context: FaultContext;

  private constructor({ client, socket, processId, context }: OpenConnection) {
    this.#client = client;
    this.#socket = socket;
    this.#context = context;
    this.processId = processId;
  }

  /** Connects. Rejects as a dial does; nothing is left behind then. */
  static async open(
    context: FaultContext,
    { signal }: CallOptions = {},
  ): Promise<DedicatedConnection> {
    const socket = new net.Socket();
    const client = new pg.Client({
      ...adminClientConfig(context.config, undefined),
      stream: () => socket,
    });
    // A broken connection rejects the statement on it; the event, which comes too, must find a
    // listener.
    client.on("error", () => undefined);
    try {
      const connecting = connectAndIdentify(client);
      const processId = await untilAborted(connecting, signal);
      return new DedicatedConnection({ client, socket, processId, context });
    } catch (error) {
      socket.destroy();
      throw signal?.aborted === true
        ? abortFault(signal.reason, context)
        : await dialFault(error, context);
    }
  }

  /** Runs one statement. After an abort it may still run: {@link close} cuts the connection. */
  async query(
    sql: string,
    values: readonly unknown[],
    { signal }: CallOptions = {},
  ): Promise<readonly Row[]> {
    try {
      const running = this.#client.query<Row>(sql, [...values]);
      const { rows } = await untilAborted(running, signal);
      return rows;
    } catch (error) {
      throw signal?.aborted === true
        ? abortFault(signal.reason, this.#context)
        : statementFault(error, this.#context);
    }
  }

  /**
   * Closes the socket: politely, or at once where a statement runs or the server does not close
   * its end. Resolves when it is gone. Idempotent.
   */
  async close(): Promise<void> {
    void this.#client.end().catch(() => undefined);
    await awaitClosed([this.#socket], this.#context.clock);
  }
}

async function connectAndIdentify(client: pg.Client): Promise<number> {
  await client.connect();
  const { rows } = await client.query<Row>("SELECT pg_backend_pid() AS process_id");
  return integerOf(onlyRow(rows), "process_id");
}
