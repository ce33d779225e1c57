import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type {
  CopyBidiExecuteInput,
  DescribeInput,
  PoolerClient,
  PortalStreamExecuteInput,
  RequestOptions,
  StreamExecuteInput,
} from "@multipooler/grpc-services/client";
import type { ClientState, Reservation } from "./client-state.ts";
import type { Payload } from "./result-relay.ts";
import type { PreparedText } from "./prepared-statements.ts";
import { NO_REASON, Reason } from "./statement-action.ts";
import type { ExecuteAction, RunAction } from "./statement-action.ts";

/** What the real gateway allows a statement, unless the client has set another time. */
export const STATEMENT_TIMEOUT_MS = 30_000;
/** The call has not told its end. */
const CUT_OFF: ReadonlySet<string> = new Set(["CANCELLED", "DEADLINE_EXCEEDED"]);

/** Takes what a statement yields. */
export type PayloadReceiver = (payload: Payload) => Promise<void>;

type CopyAnswer =
  ReturnType<PoolerClient["copyBidiExecute"]> extends AsyncIterable<infer Message>
    ? Message
    : never;
type Description = Awaited<ReturnType<PoolerClient["describe"]>>["description"];
type StatementOrigin = Pick<
  StreamExecuteInput,
  "target" | "callerId" | "options" | "reservationOptions"
>;
type StreamedMessage = {
  readonly result?: { readonly payload?: Payload | undefined } | undefined;
  readonly reservedState?: Reservation | undefined;
};

/** The calls of one client, each with what the pooler has to know of it. Keeps what they leave. */
export class PoolerCalls {
  readonly #client: PoolerClient;
  readonly #state: ClientState;
  #running: AbortController | undefined;

  constructor(client: PoolerClient, state: ClientState) {
    this.#client = client;
    this.#state = state;
  }

  /** Cancels the call that runs. */
  cancel(): void {
    this.#running?.abort();
  }

  /** Runs a statement, in the transaction that the client is in. */
  async execute(
    request: StreamExecuteInput,
    action: RunAction,
    take: PayloadReceiver,
  ): Promise<void> {
    const whole = { ...request, ...this.#around(request.options, action) };
    const isParse = request.options?.executeSqlPreparedStatement?.forceUnnamedParse === true;
    await this.#stream((call) => this.#client.streamExecute(whole, call), take, {
      timeoutMs: isParse ? undefined : STATEMENT_TIMEOUT_MS,
    });
  }

  /** Has PostgreSQL parse a statement of a transaction, for its errors. */
  async parse({ query, paramTypes }: PreparedText): Promise<void> {
    const executeSqlPreparedStatement = {
      preparedStatement: { query, paramTypes: [...paramTypes] },
      forceUnnamedParse: true,
    };
    const request = { options: { executeSqlPreparedStatement } };
    await this.execute(request, NO_REASON, () => Promise.resolve());
  }

  /** Runs a statement with EXECUTE in it. */
  async executeNamed(
    { query, paramTypes }: PreparedText,
    { prefix, suffix, run }: ExecuteAction,
    take: PayloadReceiver,
  ): Promise<void> {
    const executeSqlPreparedStatement = {
      preparedStatement: { query, paramTypes: [...paramTypes] },
      sqlPrefix: prefix,
      sqlSuffix: suffix,
    };
    await this.execute({ options: { executeSqlPreparedStatement } }, run, take);
  }

  /** Runs a prepared statement in the same way. */
  async executePortal(
    request: PortalStreamExecuteInput,
    action: RunAction,
    take: PayloadReceiver,
  ): Promise<void> {
    const whole = { ...request, ...this.#around(request.options, action) };
    await this.#stream((call) => this.#client.portalStreamExecute(whole, call), take, {
      timeoutMs: STATEMENT_TIMEOUT_MS,
    });
  }

  /** The one value of a query that the gateway asks for itself. */
  async value(query: string, take: PayloadReceiver): Promise<string | undefined> {
    let value: string | undefined;
    const { target, callerId, options } = this.#state.origin();
    const request = { target, callerId, options, query };
    await this.#stream(
      (call) => this.#client.streamExecute(request, call),
      async (payload) => {
        if (payload.$case === "result") {
          const [row] = payload.value.rows;
          value ??= row && Buffer.from(row.values).toString();
        }
        await take(payload);
      },
    );
    return value;
  }

  /** The target and the rest of what goes with the first message of a COPY. */
  copyInitiation(): CopyBidiExecuteInput {
    const reservationOptions = this.reservationOptions(NO_REASON);
    return { ...this.#state.origin(), reservationOptions };
  }

  /** Runs a COPY. One that is cut off leaves nothing reserved. */
  async copy(
    requests: AsyncIterable<CopyBidiExecuteInput>,
    take: (answer: CopyAnswer) => Promise<void>,
  ): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    const call = { signal: running.signal, timeoutMs: STATEMENT_TIMEOUT_MS };
    let state: Reservation | undefined;
    try {
      for await (const answer of this.#client.copyBidiExecute(requests, call)) {
        state = answer.reservedState;
        await take(answer);
      }
    } catch (error) {
      const isCut = error instanceof GrpcStatusError && CUT_OFF.has(error.code);
      state = isCut ? undefined : state;
      throw error;
    } finally {
      this.#running = undefined;
      this.#state.keep(state);
    }
  }

  async describe(request: DescribeInput): Promise<Description> {
    const { description } = await this.#client.describe(
      { ...this.#state.origin(), ...request },
      { timeoutMs: STATEMENT_TIMEOUT_MS },
    );
    return description;
  }

  /** What goes with a request for the client's own statement. */
  #around(options: StreamExecuteInput["options"], action: RunAction): StatementOrigin {
    const origin = this.#state.origin();
    return {
      ...origin,
      options: { ...origin.options, passthroughRow: true, ...options },
      reservationOptions: this.reservationOptions(action),
    };
  }

  /** Why the connection of a statement is to be reserved; `undefined` for no reason. */
  reservationOptions(action: RunAction): StreamExecuteInput["reservationOptions"] {
    const { reasons, pins, releases, recheckLocks } = action;
    const begin = this.#state.pendingBegin;
    const all = reasons | (begin === undefined ? 0 : Reason.Transaction);
    if (all === 0 && releases.length === 0 && !recheckLocks) {
      return undefined;
    }
    return {
      reasons: all,
      beginQuery: begin ?? "",
      pinPortalNames: [...pins],
      releasePortalNames: this.#state.reservation === undefined ? [] : [...releases],
      recheckAdvisoryLocks: recheckLocks,
    };
  }

  async #stream(
    open: (call: RequestOptions) => AsyncIterable<StreamedMessage>,
    take: PayloadReceiver,
    { timeoutMs }: Pick<RequestOptions, "timeoutMs"> = { timeoutMs: STATEMENT_TIMEOUT_MS },
  ): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    let state: Reservation | undefined;
    try {
      for await (const { result, reservedState } of open({ signal: running.signal, timeoutMs })) {
        state = reservedState ?? state;
        if (result?.payload !== undefined) {
          await take(result.payload);
        }
      }
      this.#state.keep(state);
    } catch (error) {
      this.#keepAfter(error, state);
      throw error;
    } finally {
      this.#running = undefined;
    }
  }

  /**
   * A call that was cut off says nothing of what stays reserved: the connection of a transaction is
   * taken for lost, another one for what it was.
   */
  #keepAfter(error: unknown, state: Reservation | undefined): void {
    const isCut = error instanceof GrpcStatusError && CUT_OFF.has(error.code);
    const isKept = isCut && this.#state.status !== "T";
    this.#state.keep(state ?? (isKept ? this.#state.reservation : undefined));
    this.#state.fail();
  }
}
