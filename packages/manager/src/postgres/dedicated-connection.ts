import { Deadline, untilAborted } from "@multipooler/timing";
import type { Clock } from "@multipooler/timing";
import pg from "pg";
import type { CallOptions } from "@multipooler/query-service";
import { adminClientConfig } from "./admin-client-config.ts";
import type { ConnectionPurpose } from "./admin-client-config.ts";
import { abortFault, dialFault, statementFault } from "./database-fault.ts";
import type { FaultContext } from "./database-fault.ts";
import { GuardedStream } from "./guarded-stream.ts";
import { integerOf, onlyRow } from "./row.ts";
import type { Row } from "./row.ts";
import { awaitClosed } from "./socket-closing.ts";

/** How long a dial that nobody waits for may take to its end. */
const ABANDON_TIMEOUT_MS = 400;

interface OpenConnection {
  readonly client: pg.Client;
  readonly socket: GuardedStream;
  readonly processId: number;
  readonly context: FaultContext;
}

export interface DedicatedOptions extends CallOptions {
  /** PostgreSQL's limit on a statement. Default: none. */
  readonly statementTimeoutMs?: number | undefined;
}

/**
 * A connection of its own: for writes that must be durable, for checks that must dial, and for
 * replication. By default it has no limit on statements: while a commit waits for a synchronous standby, PostgreSQL ignores
 * `statement_timeout` and a cancel commits locally, so a caller that gives up must end the backend,
 * for which {@link processId} is kept.
 *
 * @see https://www.postgresql.org/docs/17/warm-standby.html#SYNCHRONOUS-REPLICATION
 */
export class DedicatedConnection implements AsyncDisposable {
  /** The backend's process, as `pg_terminate_backend` takes it. */
  readonly processId: number;
  readonly #client: pg.Client;
  readonly #socket: GuardedStream;
  readonly #context: FaultContext;

  private constructor({ client, socket, processId, context }: OpenConnection) {
    this.#client = client;
    this.#socket = socket;
    this.#context = context;
    this.processId = processId;
  }

  /**
   * Connects. Rejects as a dial does, and within a second of an abort; nothing is left behind
   * then, in the server either where it answers by then.
   */
  static async open(
    context: FaultContext,
    purpose: ConnectionPurpose,
    { signal, statementTimeoutMs }: DedicatedOptions = {},
  ): Promise<DedicatedConnection> {
    const socket = new GuardedStream(context.config);
    const client = new pg.Client({
      ...adminClientConfig(context.config, purpose, statementTimeoutMs),
      stream: () => socket,
    });
    // A broken connection rejects the statement on it; the event, which comes too, must find a
    // listener.
    client.on("error", () => undefined);
    const connecting = connectAndIdentify(client);
    try {
      const processId = await untilAborted(connecting, signal);
      return new DedicatedConnection({ client, socket, processId, context });
    } catch (error) {
      if (signal?.aborted !== true) {
        socket.destroy();
        throw await dialFault(error, context);
      }
      await abandon({ connecting, client, socket, clock: context.clock });
      throw abortFault(signal.reason, context);
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface Dial {
  readonly connecting: Promise<unknown>;
  readonly client: pg.Client;
  readonly socket: GuardedStream;
  readonly clock: Clock;
}

/** A backend that is still starting does not see that its socket was cut; a goodbye it does see. */
async function abandon({ connecting, client, socket, clock }: Dial): Promise<void> {
  using bound = new Deadline({ clock, ms: ABANDON_TIMEOUT_MS, what: "a dial" });
  try {
    await untilAborted(connecting, bound.signal);
    void client.end().catch(() => undefined);
    await awaitClosed([socket], clock);
  } catch {
    socket.destroy();
  }
}

async function connectAndIdentify(client: pg.Client): Promise<number> {
  await client.connect();
  const { rows } = await client.query<Row>("SELECT pg_backend_pid() AS process_id");
  return integerOf(onlyRow(rows), "process_id");
}
