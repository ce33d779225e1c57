import { Component } from "@multipooler/manager";
import type { ComponentId, ConsensusTerm, WalAnswer } from "@multipooler/manager";
import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import type { ConsensusTerm as TermMessage, WalPosition } from "@multipooler/proto/consensus-v1";
import { GrpcServicesError, GrpcServicesErrorCode } from "../errors/error.ts";

/** The term as the wire carries it. */
export function termMessage(term: ConsensusTerm): TermMessage {
  const { number, acceptedLeader, acceptedAt, leader } = term;
  return {
    termNumber: number,
    acceptedLeader: acceptedLeader && componentMessage(acceptedLeader),
    lastAcceptanceTime: acceptedAt,
    leaderId: leader && componentMessage(leader),
  };
}

/** Throws INVALID_ARGUMENT where there is none, or an id in it names nothing. */
export function termOf(message: TermMessage | undefined): ConsensusTerm {
  if (message === undefined) {
    throw invalid("term is missing");
  }
  const { termNumber, acceptedLeader, lastAcceptanceTime, leaderId } = message;
  return {
    number: termNumber,
    acceptedLeader: acceptedLeader && componentOf("accepted_leader", acceptedLeader),
    acceptedAt: lastAcceptanceTime,
    leader: leaderId && componentOf("leader_id", leaderId),
  };
}

/** Throws INVALID_ARGUMENT, naming the field, for an id that names nothing. */
export function componentOf(field: string, id: ID | undefined): ComponentId {
  const component = Object.values(Component).find(
    (name) => ID_ComponentType[name] === id?.component,
  );
  if (id === undefined || component === undefined || id.cell === "" || id.name === "") {
    throw invalid(`${field} must name a component, a cell and a name`);
  }
  return { component, cell: id.cell, name: id.name };
}

export function componentMessage({ component, cell, name }: ComponentId): ID {
  return { component: ID_ComponentType[component], cell, name };
}

/** Where a server is in its WAL. */
export function walMessage({ inRecovery, lsn, standby }: WalAnswer): WalPosition {
  return {
    inRecovery,
    currentLsn: inRecovery ? "" : (lsn ?? ""),
    lastReceiveLsn: standby?.lastReceiveLsn ?? "",
    lastReplayLsn: standby?.lastReplayLsn ?? "",
  };
}

function invalid(message: string): GrpcServicesError {
  return new GrpcServicesError(GrpcServicesErrorCode.InvalidArgument, message);
}
