import type { ReplicationClient, RequestOptions } from "@multipooler/grpc-services/client";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import { PoolerType } from "@multipooler/proto/manager-v1";
import {
  GetFollowersResponse,
  PrimaryStatus,
  ReplicationPauseMode,
  ReplicationStatus,
  StandbyUpdateOperation,
  SynchronousCommitLevel,
  SynchronousMethod,
} from "@multipooler/proto/replication-v1";
import type { Interruption } from "../interruption.ts";
import { ConfigError } from "../settings/config.ts";
import { primaryAddress } from "./primary-address.ts";
import { callPooler } from "./pooler-call.ts";
import type { CtlOutput, PoolerCall } from "./pooler-call.ts";
import type {
  ChangeOptions,
  SetPrimaryOptions,
  StandbyListOperation,
  StandbyListOptions,
  StopOptions,
  SynchronousOptions,
} from "./replication-commands.ts";
import { writeSteps } from "./explanation.ts";
import type { Step } from "./explanation.ts";
import { jsonText } from "./output.ts";
import { parsePoolerName } from "./pooler-name.ts";
import {
  followSteps,
  resetSteps,
  standbyListSteps,
  startSteps,
  stopSteps,
  synchronousSteps,
} from "./replication-steps.ts";
import { followersText, primaryText, standbyText } from "./replication-text.ts";
import { showView } from "./view.ts";
import type { View } from "./view.ts";
import type { WatchOptions } from "./watch-options.ts";

const MODES = {
  replay: ReplicationPauseMode.REPLICATION_PAUSE_MODE_REPLAY,
  receiver: ReplicationPauseMode.REPLICATION_PAUSE_MODE_RECEIVER,
  both: ReplicationPauseMode.REPLICATION_PAUSE_MODE_REPLAY_AND_RECEIVER,
} as const satisfies Record<StopOptions["mode"], ReplicationPauseMode>;

const COMMITS = {
  off: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_OFF,
  local: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_LOCAL,
  remote_write: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_REMOTE_WRITE,
  on: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_ON,
  remote_apply: SynchronousCommitLevel.SYNCHRONOUS_COMMIT_LEVEL_REMOTE_APPLY,
} as const satisfies Record<SynchronousOptions["commit"], SynchronousCommitLevel>;

const METHODS = {
  first: SynchronousMethod.SYNCHRONOUS_METHOD_FIRST,
  any: SynchronousMethod.SYNCHRONOUS_METHOD_ANY,
} as const satisfies Record<SynchronousOptions["method"], SynchronousMethod>;

const OPERATIONS = {
  add: StandbyUpdateOperation.STANDBY_UPDATE_OPERATION_ADD,
  remove: StandbyUpdateOperation.STANDBY_UPDATE_OPERATION_REMOVE,
  replace: StandbyUpdateOperation.STANDBY_UPDATE_OPERATION_REPLACE,
} as const satisfies Record<StandbyListOperation, StandbyUpdateOperation>;

/** `ctl followers`. Resolves with the exit code, as all of these do. */
export function followers(
  options: WatchOptions,
  io: CtlOutput,
  interruption: Pick<Interruption, "signal">,
): Promise<number> {
  return showView(options, io, interruption, ({ client, request }) =>
    printedFollowers(client.replication, request),
  );
}

/** `ctl set-primary`. */
export function setPrimary(
  primary: string,
  options: SetPrimaryOptions,
  io: CtlOutput,
): Promise<number> {
  const address = primaryAddress(primary);
  const { host, port } = address;
  const steps = (call: PoolerCall): Promise<readonly Step[]> => followSteps(address, options, call);
  return change(options, io, steps, async (client, request) => {
    await client.setPrimaryConnInfo(
      {
        host,
        port,
        stopReplicationBefore: options.pauseBefore,
        startReplicationAfter: options.resumeAfter,
        currentTerm: options.term,
        forceReason: options.force,
      },
      request,
    );
    return { text: `The standby follows ${primary}.\n`, json: { host, port } };
  });
}

/** `ctl replication`: of a primary or of a standby, as the pooler's type says. */
export function replicationStatus(
  options: WatchOptions,
  io: CtlOutput,
  interruption: Pick<Interruption, "signal">,
): Promise<number> {
  return showView(options, io, interruption, async ({ client, request }) => {
    const { poolerType } = await client.status(request);
    if (poolerType !== PoolerType.POOLER_TYPE_PRIMARY) {
      const { status } = await client.replication.replicationStatus(request);
      return printedStatus(status);
    }
    const { status } = await client.replication.primaryStatus(request);
    return {
      text: status === undefined ? "" : primaryText(status),
      json: status && PrimaryStatus.toJSON(status),
    };
  });
}

/** `ctl replication start`. */
export function startReplication(options: ChangeOptions, io: CtlOutput): Promise<number> {
  return change(options, io, startSteps, async (client, request) => {
    await client.startReplication(request);
    return { text: "The standby replays.\n", json: {} };
  });
}

/** `ctl replication stop`. */
export function stopReplication(options: StopOptions, io: CtlOutput): Promise<number> {
  const steps = (call: PoolerCall): Promise<readonly Step[]> => stopSteps(options, call);
  return change(options, io, steps, async (client, request) => {
    const { status } = await client.stopReplication(
      { mode: MODES[options.mode], wait: options.wait },
      request,
    );
    return printedStatus(status);
  });
}

/** `ctl replication reset`. */
export function resetReplication(options: ChangeOptions, io: CtlOutput): Promise<number> {
  return change(options, io, resetSteps, async (client, request) => {
    const { status } = await client.resetReplication(request);
    return printedStatus(status);
  });
}

/** `ctl replication synchronous`. */
export function synchronous(
  standbys: readonly string[],
  options: SynchronousOptions,
  io: CtlOutput,
): Promise<number> {
  const configuration = {
    synchronousCommit: COMMITS[options.commit],
    synchronousMethod: METHODS[options.method],
    numSync: standbys.length === 0 ? 0 : options.count,
    standbyIds: standbys.map(poolerId),
  };
  const steps = (call: PoolerCall): Promise<readonly Step[]> =>
    synchronousSteps(standbys, options, call);
  return change(options, io, steps, async (client, request) => {
    await client.configureSynchronousReplication({ configuration }, request);
    return await printedFollowers(client, request);
  });
}

/** `ctl replication standbys`. */
export function updateStandbys(
  wanted: { operation: StandbyListOperation; standbys: readonly string[] },
  options: StandbyListOptions,
  io: CtlOutput,
): Promise<number> {
  const { operation, standbys } = wanted;
  const update = {
    operation: OPERATIONS[operation],
    standbyIds: standbys.map(poolerId),
    consensusTerm: options.term,
    forceReason: options.force,
  };
  const steps = (call: PoolerCall): Promise<readonly Step[]> =>
    standbyListSteps(wanted, options, call);
  return change(options, io, steps, async (client, request) => {
    await client.updateSynchronousStandbyList(update, request);
    return await printedFollowers(client, request);
  });
}

async function printedFollowers(client: ReplicationClient, request: RequestOptions): Promise<View> {
  const response = await client.getFollowers(request);
  return { text: followersText(response), json: GetFollowersResponse.toJSON(response) };
}

function printedStatus(status: ReplicationStatus | undefined): View {
  return {
    text: status === undefined ? "" : standbyText(status),
    json: status && ReplicationStatus.toJSON(status),
  };
}

/** Changes something and prints the answer, or explains it. */
function change(
  options: ChangeOptions,
  io: CtlOutput,
  steps: (call: PoolerCall) => Promise<readonly Step[]>,
  act: (client: ReplicationClient, request: RequestOptions) => Promise<View>,
): Promise<number> {
  return callPooler(options, io, async (call) => {
    const { client, request, output } = call;
    if (options.explain) {
      await writeSteps(output, options, await steps(call));
      return;
    }
    const { text, json } = await act(client.replication, request);
    await output.write(options.json ? jsonText(json) : text);
  });
}

function poolerId(text: string): { component: ID_ComponentType; cell: string; name: string } {
  const pooler = parsePoolerName(text);
  if (pooler === undefined) {
    throw new ConfigError([`${JSON.stringify(text)} is no pooler; it must be <cell>/<name>`]);
  }
  return { component: ID_ComponentType.MULTIPOOLER, ...pooler };
}
