import type { ID } from "@multipooler/proto/clustermetadata";
import type { ConsensusTerm } from "@multipooler/proto/consensus-v1";
import { shortTime } from "./short-time.ts";

/**
 * What a pooler has promised, in one line.
 *
 * @param shardPrimary who takes the writes as the topology says, which a former primary knows better
 */
export function termText(message: ConsensusTerm | undefined, shardPrimary?: ID): string {
  if (message === undefined || message.termNumber === 0n) {
    return "0: none was set";
  }
  const { termNumber, leaderId, acceptedLeader, lastAcceptanceTime } = message;
  const leader = leaderText(leaderId, shardPrimary);
  const at = lastAcceptanceTime === undefined ? "" : ` at ${shortTime(lastAcceptanceTime)}`;
  const vote = acceptedLeader === undefined ? "" : `; voted for ${idText(acceptedLeader)}${at}`;
  return `${termNumber}: ${leader}${vote}`;
}

function leaderText(leader: ID | undefined, shardPrimary: ID | undefined): string {
  if (leader !== undefined) {
    return `${idText(leader)} leads it`;
  }
  return shardPrimary === undefined
    ? "nobody known leads it"
    : `${idText(shardPrimary)} takes the writes, as the topology says`;
}

function idText({ cell, name }: ID): string {
  return `${cell}/${name}`;
}
