import type { ID } from "@multipooler/proto/clustermetadata";
import type { ConsensusTerm } from "@multipooler/proto/consensus-v1";
import { shortTime } from "./short-time.ts";

/** What a pooler has promised, in one line. */
export function termText(message: ConsensusTerm | undefined): string {
  if (message === undefined || message.termNumber === 0n) {
    return "0: none was set";
  }
  const { termNumber, leaderId, acceptedLeader, lastAcceptanceTime } = message;
  const leader = leaderId === undefined ? "nobody known leads it" : `${idText(leaderId)} leads it`;
  const at = lastAcceptanceTime === undefined ? "" : ` at ${shortTime(lastAcceptanceTime)}`;
  const vote = acceptedLeader === undefined ? "" : `; voted for ${idText(acceptedLeader)}${at}`;
  return `${termNumber}: ${leader}${vote}`;
}

function idText({ cell, name }: ID): string {
  return `${cell}/${name}`;
}
