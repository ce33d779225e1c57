import { SimpleQuery } from "@multipooler/pgwire";
import { PoolerErrorCode } from "@multipooler/query-service";
import { MultiPoolerError } from "../../error.ts";
import { borrowBackend } from "../../pool/borrowing.ts";
import type { Backend } from "../../pool/backend.ts";
import { queryError } from "../../postgres-error.ts";
import type { SessionScheduler } from "../session-engine.ts";
import { APPLICATION_NAME } from "./parameter-views.ts";
import type { ParameterView, ParameterViews } from "./parameter-views.ts";
import type { SessionSettings } from "./session-settings.ts";

export interface LoginReportOptions {
  readonly scheduler: SessionScheduler;
  readonly views: ParameterViews;
  readonly origin: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * What the server reports of a session with these settings. A backend is asked only where it is not
 * known that there can be one: for a user or settings that have not been seen before.
 *
 * Rejects with the error of the server for a user or settings that it refuses.
 */
export async function reportedAtLogin(
  settings: SessionSettings,
  options: LoginReportOptions,
): Promise<ParameterView> {
  const { scheduler, views, origin, signal } = options;
  const { label, startup, loginUser: user } = settings;
  const isPlain = [...startup.values.keys()].every((name) => name === APPLICATION_NAME);
  const plain = isPlain ? scheduler.parametersFor(label) : undefined;
  const known = plain === undefined ? views.lastOf(user, startup) : views.of(plain);
  if (known !== undefined && scheduler.parametersFor(label) !== undefined) {
    return known;
  }
  const lease = await borrowBackend({ scheduler, origin, label, signal });
  try {
    if (lease.settings !== startup || startup.changesIdentity) {
      await confirm(lease.backend);
    }
    const view = views.of(lease.backend.parameters);
    views.note(user, startup, view);
    return view;
  } finally {
    await lease.release();
  }
}

/** Has a backend get the settings that go before its next request. Rejects with its error. */
async function confirm(backend: Backend): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle: SimpleQuery["settle"] = (end) => {
    if (end.type === "sinkFailed") {
      const problem = "an answer was not taken";
      reject(new MultiPoolerError(PoolerErrorCode.Internal, problem, { cause: end.cause }));
    } else if (end.error === undefined) {
      resolve();
    } else {
      reject(queryError(end.error));
    }
  };
  backend.send(new SimpleQuery({ sql: "", receiver: { event: () => undefined, settle } }));
  await promise;
}
