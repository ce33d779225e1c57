import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import type {
  KillRequest,
  KillResponse,
  ReloadConfigResponse,
} from "@multipooler/proto/operations-v1";
import { activityMessage } from "./activity-message.ts";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { unary } from "../server/service-binding.ts";
import type { HandledMethod } from "../server/service-binding.ts";
import type { PoolerOperations, ReloadOutcome, SettingChange } from "./pooler-operations.ts";

/** The methods of the manager service that the program itself answers. */
export function operationsMethods(operations: PoolerOperations): readonly HandledMethod[] {
  const { reloadConfig, getActivity, kill } = MultiPoolerManagerDefinition.methods;
  return [
    unary(reloadConfig, async ({ explain }) =>
      reloadMessage(explain ? operations.explainReload() : operations.reload()),
    ),
    unary(getActivity, async () => activityMessage(operations.activity())),
    unary(kill, async (request) => killed(request, operations)),
  ];
}

function killed({ what }: KillRequest, operations: PoolerOperations): KillResponse {
  switch (what?.$case) {
    case "client":
      return requireFound(operations.endClient(what.value), `client ${what.value}`);
    case "reservation":
      return requireFound(operations.endReservation(what.value), `reservation ${what.value}`);
    case undefined:
      throw new GrpcServicesError(
        GrpcServicesErrorCode.InvalidArgument,
        "what is to be ended is missing: a client or a reservation",
      );
  }
}

function requireFound(isFound: boolean, what: string): KillResponse {
  if (!isFound) {
    throw new GrpcServicesError(GrpcServicesErrorCode.NotFound, `there is no ${what}`);
  }
  return {};
}

function reloadMessage(outcome: ReloadOutcome): ReloadConfigResponse {
  switch (outcome.type) {
    case "applied":
      return {
        changed: outcome.changed.map(changeMessage),
        pending: outcome.pending.map(({ reason, ...change }) => ({
          change: changeMessage(change),
          reason,
        })),
      };
    case "refused":
      throw new GrpcServicesError(
        GrpcServicesErrorCode.SettingsRefused,
        outcome.problems.join("\n"),
      );
  }
}

function changeMessage({ name, before, after, source }: SettingChange): SettingChange {
  return { name, before, after, source };
}
