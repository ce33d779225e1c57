import { QueryMode } from "@multipooler/query-service";
import type { ExecuteRequest, QueryTarget, ScramKeys, Settings } from "@multipooler/query-service";
import type { CallerID } from "@multipooler/proto/mtrpc";
import { Mode } from "@multipooler/proto/query";
import type {
  ExecuteOptions,
  ReservationOptions,
  Target,
  UserAuth,
} from "@multipooler/proto/query";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { CallContext } from "../server/rpc.ts";

/** The reasons for a reservation that this version of the contract knows. */
const KNOWN_REASONS = 0xff;

const NO_SETTINGS: Settings = new Map();
const NO_ENTRIES: Readonly<Record<string, string>> = {};

/** What ExecuteQuery and StreamExecute ask for. */
export interface StatementMessage {
  readonly callerId: CallerID | undefined;
  readonly query: string;
  readonly target: Target | undefined;
  readonly options: ExecuteOptions | undefined;
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
  const reservedId = options?.reservedConnectionId ?? 0n;
  return {
    target: message.target === undefined ? undefined : queryTarget(message.target),
    caller: {
      user: options?.user ?? "",
      keys: keysOf(options?.userAuth),
      settings: settingsOf(options?.sessionSettings ?? NO_ENTRIES),
      origin: `${peer} ${message.callerId?.principal ?? ""}`,
    },
    place: reservedId === 0n ? { type: "any" } : { type: "reserved", id: reservedId },
    statement: { type: "simple", sql: message.query },
  };
}

/** @throws INVALID_ARGUMENT for unknown reasons, UNIMPLEMENTED for known ones. */
export function refuseReservation(options: ReservationOptions | undefined): void {
  const reasons = options?.reasons ?? 0;
  if (reasons > KNOWN_REASONS) {
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `invalid reservation reasons: 0x${reasons.toString(16)}`,
    );
  }
  if (reasons !== 0) {
    throw unsupported("reservation_options.reasons");
  }
}

function refuseUnsupportedOptions(options: ExecuteOptions): void {
  if (options.executeSqlPreparedStatement !== undefined) {
    throw unsupported("options.execute_sql_prepared_statement");
  }
}

/** A client that logged in otherwise has none. */
function keysOf(auth: UserAuth | undefined): ScramKeys | undefined {
  return auth === undefined || auth.clientKey.length === 0 || auth.serverKey.length === 0
    ? undefined
    : auth;
}

function settingsOf(entries: Readonly<Record<string, string>>): Settings {
  let settings: Map<string, string> | undefined;
  for (const name of Object.keys(entries)) {
    settings ??= new Map();
    settings.set(name, entries[name] ?? "");
  }
  return settings ?? NO_SETTINGS;
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
