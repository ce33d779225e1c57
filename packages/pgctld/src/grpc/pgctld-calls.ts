import { ServerStatus } from "@multipooler/proto/pgctldservice";
import type {
  InitDataDirRequest,
  InitDataDirResponse,
  PgRewindRequest,
  PgRewindResponse,
  ReloadConfigRequest,
  ReloadConfigResponse,
  RestartRequest,
  RestartResponse,
  StartRequest,
  StartResponse,
  StatusRequest,
  StatusResponse,
  StopRequest,
  StopResponse,
  StopRestoreCommandRequest,
  StopRestoreCommandResponse,
  VersionRequest,
  VersionResponse,
} from "@multipooler/proto/pgctldservice";
import { invalidArgument } from "../error.ts";
import type { CallOptions, PostgresControl, PostgresStatus } from "../postgres-control.ts";
import type { StopMode } from "../server/server-stop.ts";
import { CallOutcome } from "./call-outcome.ts";
import { durationOf, millisecondsOf } from "./duration.ts";

/** A response, and what became of the call where the message has no field for that. */
export type Answer<Response> = Response & { readonly outcome?: CallOutcome | undefined };

/** The verbs of `pgctldservice.PgCtld`, whatever carries them. */
export class PgctldCalls {
  readonly #control: PostgresControl;

  constructor(control: PostgresControl) {
    this.#control = control;
  }

  async start(request: StartRequest, options: CallOptions): Promise<Answer<StartResponse>> {
    refuseOverrides(request);
    const { pid, alreadyRunning, recovered } = await this.#control.start(
      {
        role: request.asPrimary ? "primary" : "standby",
        // Recovery in single-user mode ends the timeline of a standby: only for one to be rewound.
        recoverFirst:
          request.allowCrashRecovery && request.suspectedDivergence && !request.asPrimary,
      },
      options,
    );
    const message = alreadyRunning ? "PostgreSQL is already running" : "PostgreSQL was started";
    const outcome = alreadyRunning ? CallOutcome.AlreadyRunning : undefined;
    return { pid, message, crashRecoveryRan: recovered, outcome };
  }

  async stop({ mode, timeout }: StopRequest, options: CallOptions): Promise<Answer<StopResponse>> {
    const wanted = stopMode(mode);
    const timeoutMs = millisecondsOf("timeout", timeout);
    const outcome = await this.#control.stop({ mode: wanted, timeoutMs }, options);
    if (outcome === "not-running") {
      return { message: "PostgreSQL is not running", outcome };
    }
    const words = outcome === wanted ? outcome : `${outcome}, for ${wanted} took too long`;
    return { message: `PostgreSQL was stopped (${words})`, outcome };
  }

  async restart(request: RestartRequest, options: CallOptions): Promise<RestartResponse> {
    refuseOverrides(request);
    const { pid } = await this.#control.restart(
      {
        mode: stopMode(request.mode),
        timeoutMs: millisecondsOf("timeout", request.timeout),
        role: request.asStandby ? "standby" : "keep",
      },
      options,
    );
    const as = request.asStandby ? " as a standby" : "";
    return { pid, message: `PostgreSQL was restarted${as}` };
  }

  async reloadConfig(
    _request: ReloadConfigRequest,
    options: CallOptions,
  ): Promise<ReloadConfigResponse> {
    await this.#control.reload(options);
    return { message: "PostgreSQL has read its configuration again" };
  }

  async status(_request: StatusRequest, options: CallOptions): Promise<StatusResponse> {
    return statusResponse(await this.#control.status(options), Date.now());
  }

  async version(_request: VersionRequest, options: CallOptions): Promise<VersionResponse> {
    const { version, state } = await this.#control.status(options);
    return { version: `PostgreSQL ${version}`, message: `the server is ${state}` };
  }

  async initDataDir(
    { authLocal, authHost, extraArgs }: InitDataDirRequest,
    options: CallOptions,
  ): Promise<Answer<InitDataDirResponse>> {
    if (extraArgs.length > 0) {
      throw invalidArgument("extra_args cannot be given with a call: the daemon has its own");
    }
    const { alreadyInitialized } = await this.#control.initialize(
      {
        local: authLocal === "" ? undefined : authLocal,
        host: authHost === "" ? undefined : authHost,
      },
      options,
    );
    return {
      message: alreadyInitialized
        ? "Data directory is already initialized"
        : "Data directory initialized successfully",
      outcome: alreadyInitialized ? CallOutcome.AlreadyInitialized : undefined,
    };
  }

  async pgRewind(
    request: PgRewindRequest,
    options: CallOptions,
  ): Promise<Answer<PgRewindResponse>> {
    const { sourceHost, sourcePort, dryRun, extraArgs, applicationName } = request;
    const { output, diverged } = await this.#control.rewind(
      {
        sourceHost,
        sourcePort,
        dryRun,
        extraArguments: extraArgs,
        applicationName: applicationName === "" ? undefined : applicationName,
      },
      options,
    );
    const outcome = diverged ? CallOutcome.Diverged : undefined;
    return { message: "Rewind completed successfully", output, outcome };
  }

  async stopRestoreCommand(
    _request: StopRestoreCommandRequest,
    _options: CallOptions,
  ): Promise<StopRestoreCommandResponse> {
    const { found, killed } = await this.#control.stopRestoreCommand();
    const message = found ? "the restore_command was stopped" : "no restore_command is running";
    return { found, killed, message };
  }
}

/** The message for a status at a moment, in milliseconds since the epoch. */
export function statusResponse(status: PostgresStatus, nowMs: number): StatusResponse {
  const { dataDir, port, version } = status;
  const response: StatusResponse = {
    status: ServerStatus.UNKNOWN,
    pid: 0,
    version: `PostgreSQL ${version}`,
    uptime: undefined,
    dataDir,
    port,
    host: status.socketDir, // As libpq takes the directory of a socket for a host.
    ready: false,
    message: "",
    pgbackrestStatus: undefined,
  };
  switch (status.state) {
    case "not-initialized":
      return {
        ...response,
        status: ServerStatus.NOT_INITIALIZED,
        message: "Data directory is not initialized",
      };
    case "stopped":
      return {
        ...response,
        status: ServerStatus.STOPPED,
        message: `PostgreSQL is stopped (${status.cluster ?? "its control file cannot be read"})`,
      };
    case "starting":
    case "stopping":
    case "running": {
      const uptime = durationOf(Math.max(0, nowMs - status.startedAt.getTime()));
      return { ...response, pid: status.pid, uptime, ...runningStatus(status) };
    }
  }
}

/** A server that is frozen is neither stopped nor of any use: peers start nothing and ask again. */
function runningStatus(
  status: Extract<PostgresStatus, { pid: number }>,
): Pick<StatusResponse, "status" | "ready" | "message"> {
  switch (status.state) {
    case "starting":
      return { status: ServerStatus.STARTING, ready: false, message: "PostgreSQL is starting" };
    case "stopping":
      return { status: ServerStatus.STOPPING, ready: false, message: "PostgreSQL is stopping" };
    case "running":
      return status.ready
        ? { status: ServerStatus.RUNNING, ready: true, message: "PostgreSQL is running" }
        : {
            status: ServerStatus.UNKNOWN,
            ready: false,
            message: "PostgreSQL runs and does not accept connections",
          };
  }
}

function stopMode(mode: string): StopMode {
  switch (mode) {
    case "":
    case "fast":
      return "fast";
    case "smart":
    case "immediate":
      return mode;
    default:
      throw invalidArgument(
        `mode must be one of smart, fast, immediate, not ${JSON.stringify(mode.slice(0, 40))}`,
      );
  }
}

/** A server on another port, or with arguments of one start, is not the one that is controlled. */
function refuseOverrides({ port, extraArgs }: { port: number; extraArgs: string[] }): void {
  if (port !== 0) {
    throw invalidArgument("port cannot be given with a call: the daemon has its own");
  }
  if (extraArgs.length > 0) {
    throw invalidArgument("extra_args cannot be given with a call: use the server's settings");
  }
}
