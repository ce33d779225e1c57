import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import type { ReloadConfigResponse } from "@multipooler/proto/operations-v1";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";
import { unary } from "../server/service-binding.ts";
import type { HandledMethod } from "../server/service-binding.ts";
import type { PoolerOperations, ReloadOutcome, SettingChange } from "./pooler-operations.ts";

/** The methods of the manager service that the program itself answers. */
export function operationsMethods(operations: PoolerOperations): readonly HandledMethod[] {
  const { reloadConfig } = MultiPoolerManagerDefinition.methods;
  return [unary(reloadConfig, async () => reloadMessage(operations.reload()))];
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
