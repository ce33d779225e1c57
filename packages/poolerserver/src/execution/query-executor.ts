import { QueryMode } from "@multipooler/query-service";
import type {
  CallOptions,
  ConcludeRequest,
  CopyRequest,
  CopySink,
  CopySource,
  DescribeRequest,
  ExecuteRequest,
  LoginCredentials,
  LoginRequest,
  NotificationSink,
  Outcome,
  QueryService,
  ReleaseRequest,
  ReservationRequest,
  ResultSink,
  Session,
  SessionCaller,
  SessionClient,
  StatementDescription,
  Subscription,
} from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import { copy } from "../copy/copy-call.ts";
import { abortError, poolerError } from "../error.ts";
import { preparationOf } from "../statements/backend-statement.ts";
import { classifyStatement } from "../statements/statement-classification.ts";
import { Call } from "./call.ts";
import { concludeTransaction } from "../reservations/conclusion.ts";
import { describeError, Description } from "./description.ts";
import { ShortReads } from "./short-reads.ts";
import type { SlowLog } from "./slow-log.ts";
import { copyError, offeredStatement, requireTarget } from "./request-checks.ts";
import type { ReservationEngine } from "../reservations/reservation-engine.ts";
import { describeReserved } from "../reservations/reserved-description.ts";
import { executeAndReserve, executeReserved } from "../reservations/reserved-statement.ts";
import { releaseReservation } from "../reservations/reservation-release.ts";
import { discardTempTables } from "../reservations/temp-table-discard.ts";

const NO_OPTIONS: CallOptions = {};

export interface QueryExecutorOptions extends ReservationEngine {
  readonly sessions: SessionOpener;
  readonly credentials: CredentialSource;
  readonly notifications: NotificationSource;
  /** Told of each statement. */
  readonly slow?: SlowLog | undefined;
}

/** What the protocol half of the query service is left to. */
export interface SessionOpener {
  open: QueryService["openSession"];
}

/** Where the credentials of roles come from. */
export interface CredentialSource {
  get: QueryService["getCredentials"];
}

/** Where notifications come from. */
export interface NotificationSource {
  subscribe: QueryService["subscribe"];
}

/** The query service of an open controller: checks a request, admits it and runs it as a {@link Call}. */
export class QueryExecutor implements QueryService {
  readonly #options: QueryExecutorOptions;
  readonly #reads = new ShortReads();
  readonly #onCallEnd: (call: Call) => void;
  readonly #onDdlEnd: (call: Call) => void;

  constructor(options: QueryExecutorOptions) {
    this.#options = options;
    this.#onCallEnd = (call) => options.gate.leave(call);
    this.#onDdlEnd = (call) => {
      options.classifier.noteDdl();
      options.gate.leave(call);
    };
  }

  streamExecute(
    request: ExecuteRequest,
    sink: ResultSink,
    { signal }: CallOptions = NO_OPTIONS,
  ): Promise<Outcome> {
    const begun = this.#options.slow?.begun();
    try {
      const outcome = this.#execute(request, sink, signal);
      return begun === undefined || begun === 0 ? outcome : this.#timed(outcome, request, begun);
    } catch (error) {
      return Promise.reject(poolerError(error));
    }
  }

  async describe(
    request: DescribeRequest,
    { signal }: CallOptions = NO_OPTIONS,
  ): Promise<StatementDescription> {
    try {
      return await this.#describe(request, signal);
    } catch (error) {
      throw poolerError(error);
    }
  }

  async copyIn(
    request: CopyRequest,
    source: CopySource,
    sink: CopySink,
    { signal }: CallOptions = NO_OPTIONS,
  ): Promise<Outcome> {
    return await orPoolerError(copy(this.#options, { way: "in", request, source, sink, signal }));
  }

  async copyOut(
    request: CopyRequest,
    sink: CopySink,
    { signal }: CallOptions = NO_OPTIONS,
  ): Promise<Outcome> {
    return await orPoolerError(copy(this.#options, { way: "out", request, sink, signal }));
  }

  async concludeTransaction(
    request: ConcludeRequest,
    sink: ResultSink,
    { signal }: CallOptions = NO_OPTIONS,
  ): Promise<Outcome> {
    return await orPoolerError(concludeTransaction(this.#options, request, { sink, signal }));
  }

  async discardTempTables(
    request: ReservationRequest,
    sink: ResultSink,
    { signal }: CallOptions = NO_OPTIONS,
  ): Promise<Outcome> {
    return await orPoolerError(discardTempTables(this.#options, request, { sink, signal }));
  }

  async releaseReservation(request: ReleaseRequest): Promise<Outcome> {
    return await orPoolerError(releaseReservation(this.#options, request));
  }

  async openSession(
    caller: SessionCaller,
    client: SessionClient,
    options?: CallOptions,
  ): Promise<Session> {
    requireAwaited(options?.signal);
    return await this.#options.sessions.open(caller, client, options);
  }

  getCredentials(
    request: LoginRequest,
    options?: CallOptions,
  ): Promise<LoginCredentials | undefined> {
    return this.#options.credentials.get(request, options);
  }

  subscribe(sink: NotificationSink): Subscription {
    return this.#options.notifications.subscribe(sink);
  }

  async #timed(
    outcome: Promise<Outcome>,
    { statement, caller }: ExecuteRequest,
    begun: number,
  ): Promise<Outcome> {
    try {
      return await outcome;
    } finally {
      const { user, origin } = caller;
      this.#options.slow?.ended(begun, {
        user,
        origin,
        text: statement.sql,
        parameters: () => (statement.type === "prepared" ? statement : undefined),
      });
    }
  }

  #execute(
    request: ExecuteRequest,
    sink: ResultSink,
    signal: AbortSignal | undefined,
  ): Promise<Outcome> {
    const { served, gate, classifier, registry, labels } = this.#options;
    const { place } = request;
    if (place.type === "reserve") {
      return orPoolerError(executeAndReserve(this.#options, place, { request, sink, signal }));
    }
    if (place.type === "reserved") {
      return orPoolerError(executeReserved(this.#options, place, { request, sink, signal }));
    }
    requireAwaited(signal);
    const statement = offeredStatement(request, served);
    const classification = classifyStatement(statement, classifier);
    if (classification.copy !== undefined) {
      throw copyError();
    }
    const label = labels.of(request.caller);
    const call = new Call({
      engine: this.#options,
      origin: request.caller.origin,
      label,
      virtualPid: request.caller.virtualPid,
      taint: classification.taint,
      sink,
      signal,
      statement,
      preparation: preparationOf(registry, label, classification.taint),
      read: this.#reads.of(classification),
      onEnd: classification.ddl ? this.#onDdlEnd : this.#onCallEnd,
    });
    gate.enter("single", request.target?.mode ?? QueryMode.Unspecified, call);
    const refusal = gate.readOnlyRefusal(classification.escapes);
    if (refusal !== undefined) {
      gate.leave(call);
      throw refusal;
    }
    if (classification.ddl) {
      classifier.noteDdl();
    }
    return call.run();
  }

  async #describe(
    request: DescribeRequest,
    signal: AbortSignal | undefined,
  ): Promise<StatementDescription> {
    const { target, caller, place, statement, binding } = request;
    if (place.type === "reserved") {
      return await describeReserved(this.#options, place, { request, signal });
    }
    requireAwaited(signal);
    const { served, gate, classifier, registry, labels } = this.#options;
    requireTarget(target, served);
    // Planning a portal may call functions that say of themselves that they change nothing.
    const taint = binding === undefined ? Taint.None : classifier.classify(statement.sql).taint;
    const description = new Description();
    const label = labels.of(caller);
    const call = new Call({
      engine: this.#options,
      origin: caller.origin,
      label,
      virtualPid: caller.virtualPid,
      taint,
      sink: description,
      signal,
      statement: { type: "describe", ...statement, binding },
      preparation: preparationOf(registry, label, taint),
      onDescribed: description.described,
      onEnd: this.#onCallEnd,
    });
    gate.enter("single", target?.mode ?? QueryMode.Unspecified, call);
    try {
      await call.run();
    } catch (error) {
      throw describeError(poolerError(error));
    }
    return description.value;
  }
}

function requireAwaited(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw abortError(signal);
  }
}

async function orPoolerError(outcome: Promise<Outcome>): Promise<Outcome> {
  try {
    return await outcome;
  } catch (error) {
    throw poolerError(error);
  }
}
