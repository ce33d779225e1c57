import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import pg from "pg";

/** What became of one piece of work. */
type Outcome = "done" | "refused";

/** Does one piece of work. Rejects when it fails in any other way than a refusal at its beginning. */
export type Work = () => Promise<Outcome>;

const TRANSACTION = 1;
const COMMIT = 1;
const WRITABLE = 1;
/** How long a client that was refused waits before it asks again, as a gateway does. */
const RETRY_MS = 20;

/** A client that works until it is stopped or something fails, and counts what becomes of it. */
export class DrainClient implements AsyncDisposable {
  failure: unknown;
  done = 0;
  refused = 0;
  readonly #work: Work;
  readonly #isSteady: () => boolean;
  readonly #running: Promise<void>;
  #isStopped = false;

  /** `isSteady`: whether nothing may be refused for as long as that stays so. */
  constructor(work: Work, isSteady: () => boolean) {
    this.#work = work;
    this.#isSteady = isSteady;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isStopped) {
        await this.#workOnce();
      }
    } catch (error) {
      this.failure = error;
    }
  }

  async #workOnce(): Promise<void> {
    const wasSteady = this.#isSteady();
    const outcome = await this.#work();
    this[outcome] += 1;
    if (outcome === "refused") {
      if (wasSteady && this.#isSteady()) {
        throw new Error("refused although everything is served");
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** A read over gRPC, from 5 to 50 ms. */
export function singleCall(client: PoolerClient): Work {
  return async () => {
    const call = client.executeQuery({ query: sleeping() });
    return await refusedOr(call);
  };
}

/** A transaction of four statements over gRPC, which writes a row. */
export function writingTransaction(client: PoolerClient): Work {
  return async () => {
    const target = { mode: WRITABLE } as const;
    const begun = await begin(client);
    if (begun === undefined) {
      return "refused";
    }
    const options = { reservedConnectionId: begun };
    for (const query of [sleeping(), "insert into done default values"]) {
      for await (const { result } of client.streamExecute({ query, target, options })) {
        void result;
      }
    }
    await client.concludeTransaction({ target, options, conclusion: COMMIT });
    return "done";
  };
}

/** A driver with one connection, which has to outlive every drain. */
export class Driver {
  readonly #client: Promise<pg.Client>;

  constructor(connect: () => Promise<pg.Client>) {
    this.#client = connect();
    // Whoever uses it is told.
    this.#client.catch(() => undefined);
  }

  async query(sql: string): Promise<pg.QueryResult> {
    const client = await this.#client;
    return await client.query(sql);
  }

  async end(): Promise<void> {
    const client = await this.#client;
    await client.end();
  }
}

/** A read of psql or a driver, from 5 to 50 ms. */
export function singleQuery(driver: Driver): Work {
  return async () => await refusedOr(driver.query(sleeping()));
}

/** A transaction of four statements of a driver. */
export function readingTransaction(driver: Driver): Work {
  return async () => {
    if ((await refusedOr(driver.query("begin"))) === "refused") {
      return "refused";
    }
    // A transaction begins with its first statement.
    if ((await refusedOr(driver.query(sleeping()))) === "refused") {
      await driver.query("rollback");
      return "refused";
    }
    await driver.query("select count(*) from done");
    const { command } = await driver.query("commit");
    if (command !== "COMMIT") {
      throw new Error(`a transaction ended with ${command}`);
    }
    return "done";
  };
}

/** The reservation of a transaction that has begun with its first statement; `undefined`: refused. */
async function begin(client: PoolerClient): Promise<bigint | undefined> {
  let id: bigint | undefined;
  const request = {
    query: sleeping(),
    target: { mode: WRITABLE } as const,
    reservationOptions: { reasons: TRANSACTION },
  };
  try {
    for await (const { reservedState } of client.streamExecute(request)) {
      id = reservedState?.reservedConnectionId ?? id;
    }
  } catch (error) {
    if (isRefusal(error)) {
      return undefined;
    }
    throw error;
  }
  if (id === undefined) {
    throw new Error("a transaction has begun without a reservation");
  }
  return id;
}

async function refusedOr(work: Promise<unknown>): Promise<Outcome> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (isRefusal(error)) {
      return "refused";
    }
    throw error;
  }
}

/** The one code of refusals by the status, over both transports. */
function isRefusal(error: unknown): boolean {
  if (error instanceof GrpcStatusError) {
    return error.diagnostic?.code === "MTF01";
  }
  return error instanceof pg.DatabaseError && error.code === "MTF01";
}

function sleeping(): string {
  return `select pg_sleep(${(0.005 + Math.random() * 0.045).toFixed(4)})`;
}
