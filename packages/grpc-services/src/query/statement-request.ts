import { QueryMode } from "@multipooler/query-service";
import type {
  Caller,
  ExecuteRequest,
  Place,
  QueryTarget,
  Settings,
} from "@multipooler/query-service";
import type { CallerID } from "@multipooler/proto/mtrpc";
import { Mode } from "@multipooler/proto/query";
import type { ExecuteOptions, ReservationOptions, Target } from "@multipooler/proto/query";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { CallContext } from "../server/rpc.ts";

/** The reasons for a reservation that this version of the contract knows. */
const KNOWN_REASONS = 0xff;

const NO_SETTINGS: Settings = new Map();

/** What ExecuteQuery and StreamExecute ask for. */
export interface StatementMessage {
  readonly callerId: CallerID | undefined;
  readonly query: string;
  readonly target: Target | undefined;
  readonly options: ExecuteOptions | undefined;
  /** Not a part of ExecuteQuery. */
  readonly reservationOptions?: ReservationOptions | undefined;
}

/**
 * The request for the controller.
 *
 * @throws UNIMPLEMENTED, naming the field, for what this version cannot honour; INVALID_ARGUMENT
 * for what means nothing.
 */
export function statementRequest(
  message: StatementMessage,
  { peer }: Pick<CallContext, "peer">,
): ExecuteRequest {
  const { options } = message;
  if (options !== undefined) {
    refuseUnsupportedOptions(options);
  }
  return {
    target: targetOf(message),
    caller: { ...callerOf(message, { peer }), settings: NO_SETTINGS },
    place: placeOf(options?.reservedConnectionId ?? 0n, message.reservationOptions),
    statement: { type: "simple", sql: message.query },
  };
}

/** Whom a request is for. */
export function targetOf({ target }: Pick<StatementMessage, "target">): QueryTarget | undefined {
  return target === undefined ? undefined : queryTarget(target);
}

/** On whose behalf a request is made. */
export function callerOf(
  { options, callerId }: Pick<StatementMessage, "options" | "callerId">,
  { peer }: Pick<CallContext, "peer">,
): Caller {
  return {
    user: options?.user ?? "",
    settings: new Map(Object.entries(options?.sessionSettings ?? {})),
    origin: `${peer} ${callerId?.principal ?? ""}`,
  };
}

/** @throws INVALID_ARGUMENT for reasons that this version does not know */
function placeOf(id: bigint, options: ReservationOptions | undefined): Place {
  const reasons = options?.reasons ?? 0;
  if (reasons > KNOWN_REASONS) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `invalid reservation reasons: 0x${reasons.toString(16)}`,
    );
  }
  const wish = {
    reasons,
    begin: options?.beginQuery,
    pins: options?.pinPortalNames,
    recheckAdvisoryLocks: options?.recheckAdvisoryLocks,
  };
  if (id !== 0n) {
    return { type: "reserved", id, releases: options?.releasePortalNames, ...wish };
  }
  return reasons === 0 ? { type: "any" } : { type: "reserve", ...wish };
}

function refuseUnsupportedOptions(options: ExecuteOptions): void {
  if (Object.keys(options.sessionSettings).length > 0) {
    throw unsupported("options.session_settings");
  }
  if (options.executeSqlPreparedStatement !== undefined) {
    throw unsupported("options.execute_sql_prepared_statement");
  }
}

function queryTarget({ shardKey, mode }: Target): QueryTarget {
  return {
    database: shardKey?.database ?? "",
    tableGroup: shardKey?.tableGroup ?? "",
    shard: shardKey?.shard ?? "",
    mode: queryMode(mode),
  };
}

function queryMode(mode: Mode): QueryMode {
  switch (mode) {
    case Mode.MODE_UNSPECIFIED:
      return QueryMode.Unspecified;
    case Mode.MODE_WRITABLE:
      return QueryMode.Writable;
    case Mode.MODE_CONSISTENT:
      return QueryMode.Consistent;
    case Mode.MODE_INCONSISTENT:
      return QueryMode.Inconsistent;
    // An enum of proto3 is open: any number may arrive.
    case Mode.UNRECOGNIZED:
    default:
      throw new GrpcServicesError(
        GrpcServicesErrorCode.InvalidArgument,
        `target.mode ${String(mode)} is unknown`,
      );
  }
}

function unsupported(field: string): GrpcServicesError {
  return new GrpcServicesError(
    GrpcServicesErrorCode.Unimplemented,
    `${field} is not supported by this version of the pooler`,
  );
}
