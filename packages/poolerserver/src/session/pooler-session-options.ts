import type { SessionCaller, SessionClient } from "@multipooler/query-service";
import type { PoolerSession } from "./pooler-session.ts";
import type { SessionEngine } from "./session-engine.ts";
import type { ParameterView } from "./settings/parameter-views.ts";
import type { SessionSettings } from "./settings/session-settings.ts";

export interface PoolerSessionOptions {
  readonly engine: SessionEngine;
  readonly caller: SessionCaller;
  readonly client: SessionClient;
  readonly settings: SessionSettings;
  /** What the server reports of such a session. */
  readonly parameters: ParameterView;
  /** Nothing of the session is left. */
  readonly onGone: (session: PoolerSession) => void;
}
