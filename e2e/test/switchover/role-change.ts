import { setTimeout } from "node:timers/promises";
import { GrpcStatusError } from "@multipooler/grpc-services/client";
import type { PoolerClient } from "@multipooler/grpc-services/client";
import { NotReadyCode, ServingStatus } from "@multipooler/proto/manager-v1";
import { expect } from "vitest";
import type { ClusterNode, NodePart } from "./cluster-node.ts";
import type { KillPlan } from "./kill-plan.ts";

/** A call that changes the role of a pooler, and can be made again. */
export type RoleCall = (client: PoolerClient) => Promise<unknown>;

const RETRY_MS = 20;
const LIMIT_MS = 30_000;

/** What is killed during a call, and at which words of the log. */
export interface Fault {
  readonly plan: KillPlan;
  readonly part: NodePart;
  readonly words: string;
}

/** Makes the call while a part of the node is killed, has the part come back, and makes the call again. */
export async function changeThroughFault(
  node: ClusterNode,
  call: RoleCall,
  { plan, part, words }: Fault,
): Promise<void> {
  const where = `${part} of ${node.name} at ${words}`;
  await plan.arm({ pid: await node.pidOf(part), words });
  await call(node.client).catch((error: unknown) => expect(error).toBeInstanceOf(GrpcStatusError));
  expect([where, plan.isArmed]).toEqual([where, false]);
  await node.revive(part);
  if (part === "pooler") {
    await untilHeld(node);
  }
  await call(node.client);
}

/** A pooler that finds a change of role in the middle serves nothing, and says so. */
async function untilHeld({ client }: ClusterNode): Promise<void> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  for (;;) {
    const { notReadyCode, serving } = await client.status();
    expect(serving?.current).toBe(ServingStatus.SERVING_STATUS_NOT_SERVING);
    if (notReadyCode === NotReadyCode.NOT_READY_CODE_CHANGING) {
      return;
    }
    await setTimeout(RETRY_MS, undefined, { signal: limit });
  }
}
