import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import type { LeakClient, StepAnswer } from "./leak-client.ts";
import { markOf } from "./traces.ts";

const TRANSACTION = 1;
const COMMIT = 1;
const ROLLBACK = 2;
/** An error without SQLSTATE, such as a transaction that a statement left open. */
const NO_SQLSTATE = "failed";

type Execution = Parameters<PoolerClient["streamExecute"]>[0];
type Answers = ReturnType<PoolerClient["streamExecute" | "portalStreamExecute"]>;

/** A client that calls the pooler over gRPC, as a gateway does for a client of its own. */
export class CallingClient implements LeakClient {
  readonly number: number;
  readonly isSuperuser: boolean;
  readonly isTidy: boolean;
  readonly keepsState = false;
  readonly isLabelled: boolean;
  readonly #client: PoolerClient;
  readonly #user: string;
  readonly #settings: Readonly<Record<string, string>>;
  #reservation: bigint | undefined;

  constructor(options: {
    readonly client: PoolerClient;
    readonly number: number;
    readonly user: string;
    readonly isSuperuser: boolean;
    readonly isTidy: boolean;
    readonly isLabelled: boolean;
  }) {
    this.number = options.number;
    this.isSuperuser = options.isSuperuser;
    this.isTidy = options.isTidy;
    this.isLabelled = options.isLabelled;
    this.#client = options.client;
    this.#user = options.user;
    this.#settings = options.isLabelled ? { "leak.mark": markOf(options.number) } : {};
  }

  async run(query: string): Promise<StepAnswer> {
    return await this.#answer(this.#client.streamExecute({ query, options: this.#caller }));
  }

  async prepared(query: string, value: string): Promise<StepAnswer> {
    const paramValues = Buffer.from(value);
    return await this.#answer(
      this.#client.portalStreamExecute({
        preparedStatement: { name: "", query },
        portal: { paramLengths: [BigInt(paramValues.length)], paramValues },
        options: this.#caller,
      }),
    );
  }

  async begin(query: string): Promise<StepAnswer> {
    const request: Execution = {
      query,
      options: this.#caller,
      reservationOptions: { reasons: TRANSACTION },
    };
    return await this.#answer(this.#client.streamExecute(request));
  }

  async conclude(conclusion: "commit" | "rollback"): Promise<StepAnswer> {
    const options = this.#caller;
    this.#reservation = undefined;
    try {
      const { result } = await this.#client.concludeTransaction({
        options,
        conclusion: conclusion === "commit" ? COMMIT : ROLLBACK,
        rollbackSessionSettings: { vars: this.#settings },
      });
      return { value: result?.commandTag };
    } catch (error) {
      return { error: sqlstateOf(error) };
    }
  }

  async leave(how: "politely" | "silently"): Promise<void> {
    const options = this.#caller;
    if (this.#reservation !== undefined && how === "politely") {
      await this.#client.releaseReservedConnection({ options });
    }
    this.#reservation = undefined;
  }

  async leaveOpen(sql: string): Promise<void> {
    const { error } = await this.run(sql);
    if (error === undefined) {
      throw new Error(`a transaction was left open without an error: ${sql}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave("politely");
  }

  get #caller(): NonNullable<Execution["options"]> {
    return {
      user: this.#user,
      sessionSettings: this.#settings,
      clientConnectionId: this.number,
      reservedConnectionId: this.#reservation ?? 0n,
    };
  }

  async #answer(answers: Answers): Promise<StepAnswer> {
    let value: string | undefined;
    try {
      for await (const { result, reservedState } of answers) {
        if (reservedState !== undefined) {
          const { reservedConnectionId: id } = reservedState;
          this.#reservation = id === 0n ? undefined : id;
        }
        if (result?.payload?.$case === "result") {
          const [row] = result.payload.value.rows;
          value ??= row && Buffer.from(row.values).subarray(0, Number(row.lengths[0])).toString();
        }
      }
      return { value };
    } catch (error) {
      return { error: sqlstateOf(error) };
    }
  }
}

function sqlstateOf(error: unknown): string {
  if (!(error instanceof GrpcStatusError)) {
    throw error;
  }
  return error.diagnostic?.code ?? NO_SQLSTATE;
}
