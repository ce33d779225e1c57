import type {
  DemoteResponse,
  PromoteResponse,
  UndoDemoteResponse,
} from "@multipooler/proto/promotion-v1";

/** What a promotion has come to, in one line. */
export function promotedText(response: PromoteResponse): string {
  const { wasAlreadyPrimary, lsnPosition, consensusTerm, notServing } = response;
  const is = notServing === undefined ? "is the primary" : "is promoted";
  const was = wasAlreadyPrimary ? "was the primary already" : is;
  return `The pooler ${was}, at ${lsnPosition} in term ${consensusTerm}.\n`;
}

/** What a demotion has come to, in one line. */
export function demotedText(response: DemoteResponse): string {
  const { wasAlreadyDemoted, lsnPosition, connectionsTerminated } = response;
  const was = wasAlreadyDemoted ? "was a standby already" : "is a standby that follows nobody";
  return `The server ${was}, at ${lsnPosition}; ${connectionsTerminated} sessions were ended.\n`;
}

/** What the undoing of a demotion has come to, in one line. */
export function undoneText(response: UndoDemoteResponse): string {
  const { wasAlreadyPrimary, notServing, lsnPosition, consensusTerm } = response;
  const is = notServing === undefined ? "is the primary again" : "is promoted again";
  const was = wasAlreadyPrimary ? "was the primary already" : is;
  return `The pooler ${was}, at ${lsnPosition} in term ${consensusTerm}.\n`;
}
