import type { RoleStepPlan } from "@multipooler/manager";
import { PoolerType } from "@multipooler/manager";
import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import type { RoleStep } from "@multipooler/proto/promotion-v1";
import { unary } from "../server/service-binding.ts";
import type { HandledMethod } from "../server/service-binding.ts";
import type { PoolerRoles } from "../server/pooler-manager.ts";
import { durationMs } from "./duration-message.ts";
import { TYPES } from "./manager-status-message.ts";
import { synchronousMessage } from "./replication-message.ts";
import { synchronousRequest, termClaim } from "./replication-request.ts";

const METHODS = MultiPoolerManagerDefinition.methods;

/** The calls about roles of `multipooler.v1.MultiPoolerManager`. */
export function promotionMethods(roles: PoolerRoles): readonly HandledMethod[] {
  return [
    unary(METHODS.promote, async (request, { signal }) => {
      const { expectedLsn, explain, syncReplicationConfig: configuration } = request;
      const result = await roles.promote(
        {
          ...termClaim(request.consensusTerm, request.forceReason),
          expectedLsn: expectedLsn === "" ? undefined : expectedLsn,
          synchronous: configuration && synchronousRequest({ configuration }),
          explain,
        },
        { signal },
      );
      return {
        lsnPosition: result.lsn ?? "",
        wasAlreadyPrimary: result.wasAlready,
        consensusTerm: result.term,
        steps: result.steps.map(stepMessage),
        notServing: result.notServing,
      };
    }),
    unary(METHODS.demote, async (request, { signal }) => {
      const { drainTimeout, explain } = request;
      const claim = termClaim(request.consensusTerm, request.forceReason);
      const drainTimeoutMs = drainTimeout && durationMs("drain_timeout", drainTimeout);
      const result = await roles.demote({ ...claim, drainTimeoutMs, explain }, { signal });
      return {
        wasAlreadyDemoted: result.wasAlready,
        consensusTerm: result.term,
        lsnPosition: result.lsn ?? "",
        connectionsTerminated: result.terminated,
        syncReplicationConfig: result.synchronous && synchronousMessage(result.synchronous),
        steps: result.steps.map(stepMessage),
        notServing: result.notServing,
      };
    }),
    unary(METHODS.undoDemote, async ({ explain }, { signal }) => {
      const result = await roles.undoDemote({ explain }, { signal });
      return {
        lsnPosition: result.lsn ?? "",
        wasAlreadyPrimary: result.wasAlready,
        consensusTerm: result.term,
        steps: result.steps.map(stepMessage),
        notServing: result.notServing,
      };
    }),
    unary(METHODS.changeType, async ({ poolerType }, { signal }) => {
      const type = Object.values(PoolerType).find((name) => TYPES[name] === poolerType);
      return await roles.changeType(type ?? PoolerType.Unknown, { signal });
    }),
  ];
}

function stepMessage({ name, explanation, isNeeded }: RoleStepPlan): RoleStep {
  return { name, explanation, needed: isNeeded };
}
