import type { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type {
  DescribeRequest,
  ExecuteRequest,
  LoginCredentials,
  LoginRequest,
  PoolerErrorCode,
  ResultEvent,
  StatementDescription,
} from "@multipooler/query-service";
import { textResult } from "./scripted-result.ts";

/** What a manager calls that can be made to fail or to take its time. */
export type MockStep = "open" | "close" | `${PoolerRole} ${ServingStatus}`;

/** What a manager calls; a call of `setServingType` is named by its target, as `PRIMARY SERVING`. */
export type MockCall = MockStep | "register" | "initDBConfig";

/**
 * What a mock does when it is used. Each member may throw: a `MockControllerError` reaches the caller
 * as it is, everything else as INTERNAL.
 */
export interface MockScript {
  /**
   * Runs at the start of a step, and holds it up until it resolves: an `open` that fails, a transition
   * that fails, a drain that takes its time. The signal is that of the step; a transition is aborted
   * by it also while this runs.
   */
  readonly before: (step: MockStep, signal: AbortSignal | undefined) => Promise<void> | undefined;
  /**
   * Answers a statement. The signal aborts when the caller gives up, or when a drain cuts the
   * statement; the mock does not wait for an answer after that.
   */
  readonly answer: (
    request: ExecuteRequest,
    signal: AbortSignal,
  ) => Promise<Iterable<ResultEvent>> | Iterable<ResultEvent>;
  /** Whether a statement writes, and is refused in SERVING_RDONLY. */
  readonly writes: (request: ExecuteRequest) => boolean;
  readonly describe: (request: DescribeRequest) => StatementDescription;
  readonly credentials: (request: LoginRequest) => LoginCredentials | undefined;
  /** Why `isHealthy` rejects; `undefined` while the database answers. */
  readonly fault: PoolerErrorCode | undefined;
}

const WRITES = /^\s*(?:insert|update|delete|merge|truncate|create|alter|drop)\b/i;

/** Answers each statement with its own text, fails nothing, and knows no role. */
export const ECHO_SCRIPT: MockScript = {
  before: () => undefined,
  answer: ({ statement }) => textResult(["echo"], [[statement.sql]]),
  writes: ({ statement }) => WRITES.test(statement.sql),
  describe: () => ({ parameterTypes: [], fields: undefined }),
  credentials: () => undefined,
  fault: undefined,
};
