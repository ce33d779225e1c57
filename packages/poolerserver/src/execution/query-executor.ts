import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type {
  CallOptions,
  DescribeRequest,
  ExecuteRequest,
  LoginCredentials,
  LoginRequest,
  Outcome,
  QueryService,
  ResultSink,
  Session,
  SessionCaller,
  SessionClient,
  StatementDescription,
} from "@multipooler/query-service";
import type { StatementClassifier } from "../classification/classification.ts";
import { Taint } from "../classification/taint.ts";
import { MultiPoolerError, abortError, errorDiagnostic, poolerError } from "../error.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { parseConditions } from "../statements/parse-conditions.ts";
import { classifyStatement } from "../statements/statement-classification.ts";
import { Call } from "./call.ts";
import type { CallEngine } from "./call.ts";
import { describeError, Description } from "./description.ts";
import { offeredStatement, requireOffered } from "./request-checks.ts";
import type { ServedTarget } from "./request-checks.ts";

const NO_OPTIONS: CallOptions = {};

export interface QueryExecutorOptions extends CallEngine {
  readonly served: ServedTarget;
  readonly gate: ServingGate;
  readonly classifier: StatementClassifier;
  readonly sessions: SessionOpener;
  readonly credentials: CredentialSource;
}

/** What the protocol half of the query service is left to. */
export interface SessionOpener {
  open: QueryService["openSession"];
}

/** Where the credentials of roles come from. */
export interface CredentialSource {
  get: QueryService["getCredentials"];
}

/** The query service of an open controller: checks a request, admits it and runs it as a {@link Call}. */
export class QueryExecutor implements QueryService {
  readonly #options: QueryExecutorOptions;
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
    try {
      return this.#execute(request, sink, signal);
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
      throw describeError(poolerError(error));
    }
  }

  openSession(
    caller: SessionCaller,
    client: SessionClient,
    options?: CallOptions,
  ): Promise<Session> {
    return this.#options.sessions.open(caller, client, options);
  }

  getCredentials(
    request: LoginRequest,
    options?: CallOptions,
  ): Promise<LoginCredentials | undefined> {
    return this.#options.credentials.get(request, options);
  }

  #execute(
    request: ExecuteRequest,
    sink: ResultSink,
    signal: AbortSignal | undefined,
  ): Promise<Outcome> {
    requireAwaited(signal);
    const { served, gate, classifier } = this.#options;
    const statement = offeredStatement(request, served);
    const classification = classifyStatement(statement, classifier);
    if (classification.copy) {
      throw copyError();
    }
    const call = new Call(this.#options, {
      origin: request.caller.origin,
      taint: classification.taint,
      sink,
      signal,
      statement,
      conditions: parseConditions(request.caller.settings),
      onEnd: classification.ddl ? this.#onDdlEnd : this.#onCallEnd,
    });
    gate.enter("single", request.target?.mode ?? QueryMode.Unspecified, call);
    const refusal = gate.readOnlyRefusal(classification.readOnlyEscape);
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
    { target, caller, place, statement, binding }: DescribeRequest,
    signal: AbortSignal | undefined,
  ): Promise<StatementDescription> {
    requireAwaited(signal);
    const { served, gate, classifier } = this.#options;
    requireOffered({ target, place, caller }, served);
    const description = new Description();
    const call = new Call(this.#options, {
      origin: caller.origin,
      // Planning a portal may call functions that say of themselves that they change nothing.
      taint: binding === undefined ? Taint.None : classifier.classify(statement.sql).taint,
      sink: description,
      signal,
      statement: { type: "describe", ...statement, binding },
      conditions: parseConditions(caller.settings),
      onDescribed: description.described,
      onEnd: this.#onCallEnd,
    });
    gate.enter("single", target?.mode ?? QueryMode.Unspecified, call);
    await call.run();
    return description.value;
  }
}

function requireAwaited(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw abortError(signal);
  }
}

/** Refused before anything is sent: the statements around a COPY would take effect. */
function copyError(): MultiPoolerError {
  const message = "COPY from or to the client is not offered by a call";
  return new MultiPoolerError(PoolerErrorCode.Unimplemented, message, {
    diagnostic: errorDiagnostic("0A000", message, {
      hint: "Nothing of the query string was run. Use COPY with a file, a program or a session.",
    }),
  });
}
