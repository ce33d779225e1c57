import type { ShardPrimary, Version } from "@multipooler/topo";
import { NotReadyCode } from "../serving/not-ready.ts";
import type { NotReady } from "../serving/not-ready.ts";

/** A claim, and the version of the record that it was read in. */
export interface FoundClaim {
  readonly primary: ShardPrimary;
  readonly version: Version;
}

/**
 * What the record of the shard's primary says to a pooler.
 *
 * | standing | the record                                                     | may take writes     |
 * | -------- | -------------------------------------------------------------- | ------------------- |
 * | unknown  | was not read in this run                                       | after it was read, or where the machine remembers PRIMARY |
 * | left     | is gone, and was another pooler's: that one writes it again if it is there | no      |
 * | vacant   | is not there, or names nobody                                  | after it claimed it, in a term that no other pooler has led |
 * | held     | names this pooler, or the server that it has in common with another one | yes        |
 * | taken    | names another server                                           | no                  |
 * | retired  | names another server, whose pooler has ended and is not PRIMARY any more; or this server, by a pooler that has ended | after it claimed it |
 *
 * A store that does not answer changes nothing.
 */
export type Standing =
  | { readonly name: "unknown" | "vacant" }
  | { readonly name: "left"; readonly by: ShardPrimary; readonly vacantAt: number }
  | { readonly name: "held" | "taken" | "retired"; readonly found: FoundClaim };

/** Why a pooler must not take writes, or `undefined` if it may claim that it does. */
export function refusalOf(standing: Standing): NotReady | undefined {
  switch (standing.name) {
    case "unknown":
    case "vacant":
    case "held":
    case "retired":
      return undefined;
    case "left":
      return refusalBy(standing.by);
    case "taken":
      return refusalBy(standing.found.primary);
  }
}

/** The refusal of a pooler that must not take writes for that reason. */
export function secondPrimary(reason: string): NotReady {
  return { code: NotReadyCode.SecondPrimary, reason };
}

function refusalBy({ pooler, address, since }: ShardPrimary): NotReady {
  const who = `${pooler.cell}/${pooler.name} at ${address} since ${since.toISOString()}`;
  return secondPrimary(`the shard has a primary on another server, claimed by ${who}`);
}
