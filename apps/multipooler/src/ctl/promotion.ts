import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { PoolerType } from "@multipooler/proto/manager-v1";
import {
  DemoteResponse,
  PromoteResponse,
  UndoDemoteResponse,
} from "@multipooler/proto/promotion-v1";
import type { NotServing } from "@multipooler/proto/promotion-v1";
import { SynchronousCommitLevel, SynchronousMethod } from "@multipooler/proto/replication-v1";
import type { SynchronousReplicationConfiguration } from "@multipooler/proto/replication-v1";
import { ConfigError } from "../settings/config.ts";
import { drainTimeout } from "./drain-timeout.ts";
import { stepsText, writeSteps } from "./explanation.ts";
import type { Step } from "./explanation.ts";
import { tellNotServing } from "./not-serving.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput, PoolerCall } from "./pooler-call.ts";
import type {
  ClaimOptions,
  DemoteOptions,
  PromoteOptions,
  RoleOptions,
} from "./promotion-commands.ts";
import { jsonText } from "./output.ts";
import { demotedText, promotedText, undoneText } from "./promotion-text.ts";

/** `ctl promote`. Resolves with the exit code, as all of these do. */
export function promote(options: PromoteOptions, io: CtlOutput): Promise<number> {
  return callPooler(options, io, async (call) => {
    const { explain, force: forceReason, lsn: expectedLsn } = options;
    if (options.term === undefined && forceReason === "") {
      await checkVacant(call);
    }
    const response = await call.client.roles.promote(
      {
        consensusTerm: await termFor(options, call),
        expectedLsn,
        syncReplicationConfig: synchronousOf(options),
        forceReason,
        explain,
      },
      call.request,
    );
    return await print(
      call,
      { options, io },
      { ...response, json: PromoteResponse.toJSON(response), text: promotedText(response) },
    );
  });
}

/** `ctl demote`. */
export function demote(options: DemoteOptions, io: CtlOutput): Promise<number> {
  const timeout = drainTimeout(options.drainTimeout);
  return callPooler(options, io, async (call) => {
    const { explain, force: forceReason } = options;
    const consensusTerm = await termFor(options, call);
    const request = { consensusTerm, drainTimeout: timeout, forceReason, explain };
    const response = await call.client.roles.demote(request, call.request);
    return await print(
      call,
      { options, io },
      {
        ...response,
        json: DemoteResponse.toJSON(response),
        text: demotedText(response),
      },
    );
  });
}

/** `ctl undo-demote`. */
export function undoDemote(options: RoleOptions, io: CtlOutput): Promise<number> {
  return callPooler(options, io, async (call) => {
    const { explain } = options;
    const response = await call.client.roles.undoDemote({ explain }, call.request);
    return await print(
      call,
      { options, io },
      {
        ...response,
        json: UndoDemoteResponse.toJSON(response),
        text: undoneText(response),
      },
    );
  });
}

const TYPES: ReadonlyMap<string, PoolerType> = new Map([
  ["primary", PoolerType.POOLER_TYPE_PRIMARY],
  ["replica", PoolerType.POOLER_TYPE_REPLICA],
]);

/** `ctl change-type`. */
export function changeType(type: string, options: RoleOptions, io: CtlOutput): Promise<number> {
  const poolerType = TYPES.get(type.toLowerCase());
  if (poolerType === undefined) {
    throw new ConfigError([`<type> is ${JSON.stringify(type)}; it must be primary or replica`]);
  }
  return callPooler(options, io, async (call) => {
    const { client, request, output } = call;
    if (options.explain) {
      const { poolerType: present } = await client.status(request);
      const explanation = `name the type ${type.toUpperCase()} in the topology`;
      const needed = present !== poolerType;
      return await writeSteps(output, options, [{ name: "change type", explanation, needed }]);
    }
    const { notServing } = await client.roles.changeType({ poolerType }, request);
    return await print(
      call,
      { options, io },
      {
        notServing,
        steps: [],
        json: { poolerType: type.toUpperCase(), notServing },
        text: `The pooler's type is ${type.toUpperCase()}.\n`,
      },
    );
  });
}

interface Answer {
  readonly steps: readonly Step[];
  readonly notServing: NotServing | undefined;
  readonly json: unknown;
  readonly text: string;
}

/** Resolves with the exit code. */
async function print(
  { output }: PoolerCall,
  { options: { json, explain }, io }: { readonly options: RoleOptions; readonly io: CtlOutput },
  answer: Answer,
): Promise<number> {
  if (json) {
    await output.write(jsonText(answer.json));
  } else if (explain) {
    await output.write(stepsText(answer.steps));
  } else {
    await output.write(answer.text);
  }
  return tellNotServing(answer.notServing, io);
}

/**
 * Nobody is promoted beside another primary who has not named a term for that: coordinators promote in
 * a term that they have begun, so that the former primary has none to write in.
 */
async function checkVacant({ client, request }: PoolerCall): Promise<void> {
  const { topology, poolerId, term } = await client.status(request);
  const { shardPrimary: primary, shardPrimaryAddress: address } = topology ?? {};
  if (
    primary === undefined ||
    (primary.cell === poolerId?.cell && primary.name === poolerId.name)
  ) {
    return;
  }
  const next = (term?.termNumber ?? 0n) + 1n;
  throw new Error(
    `${primary.cell}/${primary.name} at ${address} takes the writes, as the topology says. ` +
      `While it runs, "ctl switchover" is the way. If it is gone, begin a term with ` +
      `"ctl term --set ${next}", and promote with --term ${next}`,
  );
}

/** The term that was given, or the pooler's own. */
async function termFor({ term }: ClaimOptions, { client, request }: PoolerCall): Promise<bigint> {
  if (term !== undefined) {
    return term;
  }
  const { term: own } = await client.consensus.status(request);
  return own?.termNumber ?? 0n;
}

function synchronousOf({
  standby,
  count,
}: PromoteOptions): SynchronousReplicationConfiguration | undefined {
  return (
    standby && {
      synchronousCommit: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_ON,
      synchronousMethod: SynchronousMethod.SYNCHRONOUS_METHOD_ANY,
      numSync: count,
      standbyIds: standby.map((name) => ({ component: ID_ComponentType.MULTIPOOLER, ...name })),
    }
  );
}
