import { QueryMode } from "@multipooler/query-service";
import type { ExecuteRequest, QueryTarget, ScramKeys, Settings } from "@multipooler/query-service";
import type { CallerID } from "@multipooler/proto/mtrpc";
import { Mode } from "@multipooler/proto/query";
import type { ExecuteOptions, Target, UserAuth } from "@multipooler/proto/query";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import type { CallContext } from "../server/rpc.ts";

const NO_SETTINGS: Settings = new Map();

/** What every request about a statement says of where it comes from, and whom it is meant for. */
export interface OriginMessage {
  readonly callerId: CallerID | undefined;
  readonly target: Target | undefined;
  readonly options: ExecuteOptions | undefined;
}

/** @throws INVALID_ARGUMENT for a mode that means nothing */
export function requestOrigin(
  { callerId, target, options }: OriginMessage,
  { peer }: Pick<CallContext, "peer">,
): Pick<ExecuteRequest, "target" | "caller"> {
  return {
    target: target === undefined ? undefined : queryTarget(target),
    caller: {
      user: options?.user ?? "",
      keys: keysOf(options?.userAuth),
      settings: options === undefined ? NO_SETTINGS : settingsOf(options),
      origin: `${peer} ${callerId?.principal ?? ""}`,
      // 0 is that of a message without one.
      virtualPid: options?.clientConnectionId === 0 ? undefined : options?.clientConnectionId,
    },
  };
}

/** A client that logged in otherwise has none. */
function keysOf(auth: UserAuth | undefined): ScramKeys | undefined {
  return auth === undefined || auth.clientKey.length === 0 || auth.serverKey.length === 0
    ? undefined
    : auth;
}

function settingsOf({ sessionSettings }: ExecuteOptions): Settings {
  const settings = Object.entries(sessionSettings);
  return settings.length === 0 ? NO_SETTINGS : new Map(settings);
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
