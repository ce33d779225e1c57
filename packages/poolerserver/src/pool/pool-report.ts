import type { Member } from "./member.ts";

/**
 * What a connection is doing.
 *
 * | state  | is                                                   |
 * | ------ | ---------------------------------------------------- |
 * | active | somebody has it                                      |
 * | idle   | nobody has it                                        |
 * | tested | it is cleaned, or has to answer before somebody gets it |
 * | closed | it is being ended                                    |
 */
export type ServerState = "active" | "idle" | "tested" | "closed";

/** One connection to PostgreSQL. Times in milliseconds since the epoch. */
export interface ServerReport {
  readonly state: ServerState;
  readonly processId: number;
  readonly openedAt: number;
  /** 0: never. */
  readonly requestedAt: number;
  /** It is not used again once it comes back. */
  readonly isBeingReplaced: boolean;
}

/** The connections of one user in one database. */
export interface PoolReport {
  readonly user: string;
  readonly servers: readonly ServerReport[];
  /** Connections that it may have now. */
  readonly limit: number;
  /** Of its connections those that reservations hold. */
  readonly reservations: number;
  /** Connections that are being opened. */
  readonly dials: number;
  /** Units that wait for a connection. */
  readonly waiting: number;
  /** How long the one that waits longest has waited. */
  readonly longestWaitMs: number;
}

/** @param isCurrent whether it may be used again, as far as its age and its defaults tell */
export function reportOf(member: Member, isCurrent: boolean): ServerReport {
  const { backend, openedAt } = member;
  return {
    state: stateOf(member),
    processId: backend.processId,
    openedAt,
    requestedAt: backend.activity.requestedAt,
    isBeingReplaced: !isCurrent,
  };
}

function stateOf({ use }: Member): ServerState {
  switch (use) {
    case "lent":
    case "shared":
      return "active";
    case "idle":
      return "idle";
    case "cleaning":
    case "verifying":
      return "tested";
    case "leaving":
    case "ended":
      return "closed";
  }
}
