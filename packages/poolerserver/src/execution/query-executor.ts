import { PoolerErrorCode, QueryMode } from "@multipooler/query-service";
import type {
  CallOptions,
  ExecuteRequest,
  LoginCredentials,
  LoginRequest,
  Outcome,
  QueryService,
  ResultSink,
  Session,
  SessionCaller,
  SessionClient,
} from "@multipooler/query-service";
import type { StatementClassifier } from "../classification/classification.ts";
import { MultiPoolerError, abortError, errorDiagnostic, poolerError } from "../error.ts";
import { readOnlyError } from "../read-only-guard.ts";
import type { ServingGate } from "../serving/serving-gate.ts";
import { Call } from "./call.ts";
import type { CallEngine } from "./call.ts";
import { offeredStatement } from "./request-checks.ts";
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
    if (signal?.aborted === true) {
      throw abortError(signal);
    }
    const { served, gate, classifier } = this.#options;
    const statement = offeredStatement(request, served);
    const classification = classifier.classify(statement.sql);
    if (classification.copy) {
      throw copyError();
    }
    const call = new Call(this.#options, {
      origin: request.caller.origin,
      taint: classification.taint,
      sink,
      signal,
      statement,
      onEnd: classification.ddl ? this.#onDdlEnd : this.#onCallEnd,
    });
    gate.enter("single", request.target?.mode ?? QueryMode.Unspecified, call);
    if (gate.isReadOnly && classification.readOnlyEscape !== undefined) {
      gate.leave(call);
      throw readOnlyError(classification.readOnlyEscape);
    }
    if (classification.ddl) {
      classifier.noteDdl();
    }
    return call.run();
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
