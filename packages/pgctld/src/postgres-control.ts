import type { ClusterState } from "./directory/control-file.ts";
import type { StartRole } from "./directory/server-file.ts";
import type { RewindRequest, RewindResult } from "./rewind/rewind.ts";
import type { RestoreCommandStop } from "./server/restore-command.ts";
import type { StopMode, StopOutcome } from "./server/server-stop.ts";

/** Bounds a call. An abort rejects it with CANCELLED. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a server is and does, found out without a login. */
export type PostgresStatus = PlaceOfServer &
  (
    | { readonly state: "not-initialized" }
    /** `cluster` is `undefined` when its control file cannot be read, and over gRPC. */
    | { readonly state: "stopped"; readonly cluster: ClusterState | undefined }
    /** `starting` includes recovery, during which nobody can connect. */
    | ({ readonly state: "starting" | "stopping" } & ServerIdentity)
    | ({
        readonly state: "running";
        /** Whether it takes connections: a server that is frozen does not. */
        readonly ready: boolean;
        /** `undefined` over gRPC, whose contract does not say it. */
        readonly role: "primary" | "standby" | undefined;
      } & ServerIdentity)
  );

/** Where a server is, or would be. */
export interface PlaceOfServer {
  readonly dataDir: string;
  readonly port: number;
  readonly socketDir: string;
  /** The version of the programs, as PostgreSQL writes it. */
  readonly version: string;
}

/** A server that runs. */
export interface ServerIdentity {
  /** Of its main process. */
  readonly pid: number;
  readonly startedAt: Date;
}

/** How a server is to be started. */
export interface StartRequest {
  /** Default `keep`: a standby stays one. Of no effect on a server that runs. */
  readonly role?: StartRole | undefined;
  /**
   * Recover in single-user mode first if the cluster was not shut down in order. That ends a standby's
   * timeline where its WAL ends, as `pg_rewind` needs it: only for one that is to be rewound.
   */
  readonly recoverFirst?: boolean | undefined;
}

/** What became of a start. */
export interface StartResult {
  /** Of the main process. */
  readonly pid: number;
  readonly alreadyRunning: boolean;
  /** Single-user recovery was necessary and was done. */
  readonly recovered: boolean;
}

/** How a server is to be stopped. */
export interface StopRequest {
  /** Default `fast`. */
  readonly mode?: StopMode | undefined;
  /** For how long the mode may take before the next harsher one. Default: the control's. */
  readonly timeoutMs?: number | undefined;
}

/** What ended a server; `not-running`: it did not run. */
export type StopResult = StopOutcome | "not-running";

/** A stop and a start. */
export interface RestartRequest extends StopRequest {
  readonly role?: StartRole | undefined;
}

/** How clients of a new cluster log in; see `AccessRules`. Default: as the control was made. */
export interface InitializeRequest {
  readonly local?: string | undefined;
  readonly host?: string | undefined;
}

/**
 * What can be done with the PostgreSQL server of a machine, in this process or in another one. Every
 * call rejects with a `PgctldError`; those that change something wait for each other.
 */
export interface PostgresControl {
  /** Resolves within a second, whatever the server does. */
  status(options?: CallOptions): Promise<PostgresStatus>;
  /** Makes the data directory; nothing to do when it is there. */
  initialize(
    request?: InitializeRequest,
    options?: CallOptions,
  ): Promise<{ readonly alreadyInitialized: boolean }>;
  /** Starts the server and waits until it is ready; waits for one that starts already. */
  start(request?: StartRequest, options?: CallOptions): Promise<StartResult>;
  /** Stops the server and waits for the end of its processes; nothing to do when it does not run. */
  stop(request?: StopRequest, options?: CallOptions): Promise<StopResult>;
  /** Stops the server if it runs, and starts it. */
  restart(request?: RestartRequest, options?: CallOptions): Promise<StartResult>;
  /** Has the server read its configuration again. Rejects with CONFIGURATION_REJECTED for errors in it. */
  reload(options?: CallOptions): Promise<void>;
  /** Undoes what the server did that `sourceHost` did not. It must not run. */
  rewind(request: RewindRequest, options?: CallOptions): Promise<RewindResult>;
  /** Ends the `restore_command` that a standby waits for; a new setting counts for the next file only. */
  stopRestoreCommand(options?: CallOptions): Promise<RestoreCommandStop>;
}
