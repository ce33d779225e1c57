import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import { MultiPoolerConsensusDefinition } from "@multipooler/proto/consensus-v1";
import type { PoolerManager } from "../server/pooler-manager.ts";
import { durationMessage } from "../manager/duration-message.ts";
import { bindService, unary } from "../server/service-binding.ts";
import type { BoundService } from "../server/service-binding.ts";
import { componentMessage, componentOf, termMessage, termOf, walMessage } from "./term-message.ts";

/** The verbs that the service stands for, and whose they are. */
export interface ConsensusServiceOptions {
  readonly manager: Pick<PoolerManager, "consensus" | "status">;
}

const { methods } = MultiPoolerConsensusDefinition;

/** `multipooler.v1.MultiPoolerConsensus`: what coordinators agree on terms with. */
export function bindConsensusService({ manager }: ConsensusServiceOptions): BoundService {
  const { consensus } = manager;
  const poolerId = (): ID => ({
    component: ID_ComponentType.MULTIPOOLER,
    ...manager.status().pooler,
  });
  return bindService(MultiPoolerConsensusDefinition, [
    unary(methods.setTerm, async ({ term, forceReason }, { signal }) => {
      const force = forceReason === "" ? undefined : forceReason;
      return { term: termMessage(await consensus.setTerm(termOf(term), { force, signal })) };
    }),
    unary(methods.beginTerm, async ({ term, candidateId }, { signal }) => {
      const candidate = componentOf("candidate_id", candidateId);
      const vote = await consensus.beginTerm({ term, candidate }, { signal });
      return { ...vote, poolerId: poolerId() };
    }),
    unary(methods.consensusStatus, async (_, { signal }) => {
      const { term, wal, postgres } = await consensus.status({ signal });
      return {
        poolerId: poolerId(),
        term: termMessage(term),
        walPosition: wal && walMessage(wal),
        isHealthy: wal !== undefined,
        postgresHost: postgres.host,
        postgresPort: postgres.port,
      };
    }),
    unary(methods.getLeadershipView, async () => {
      const { leader, leaderTerm, lastHeartbeatAt, lagMs } = consensus.leadershipView();
      return {
        leaderId: leader && componentMessage(leader),
        leaderTerm,
        lastHeartbeatTime: lastHeartbeatAt,
        replicationLag: lagMs === undefined ? undefined : durationMessage(lagMs),
      };
    }),
    unary(methods.canReachPrimary, async ({ primaryHost, primaryPort }, { signal }) => {
      const found = await consensus.canReachPrimary(primaryHost, primaryPort, { signal });
      return { reachable: found.reachable, errorMessage: found.problem };
    }),
  ]);
}
