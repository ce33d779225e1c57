import { ID_ComponentType } from "@multipooler/proto/clustermetadata";
import type { ID } from "@multipooler/proto/clustermetadata";
import { expect, test } from "vitest";
import { setStep } from "./term-step.ts";

interface Case {
  /** The term that is known: number, leader, vote. */
  readonly known?: readonly [number: bigint, leader?: string, vote?: string];
  readonly set: bigint;
  readonly leader?: string;
  readonly force?: string;
  /** The explanation, `done` where nothing is left to do; or the refusal. */
  readonly outcome: string;
}

const CASES: Readonly<Record<string, Case>> = {
  "the first term": {
    set: 1n,
    outcome: "set the term to 1, which a primary leads itself, in place of 0: none was set",
  },
  "the first term, with its leader": {
    set: 1n,
    leader: "a",
    outcome: "set the term to 1, led by zone1/a, in place of 0: none was set",
  },
  "a higher term": {
    known: [1n, "a"],
    set: 2n,
    outcome: "set the term to 2, which nobody leads, in place of 1: zone1/a leads it",
  },
  "a higher term, with its leader": {
    known: [1n],
    set: 2n,
    leader: "b",
    outcome: "set the term to 2, led by zone1/b, in place of 1: nobody known leads it",
  },
  "the current term": {
    known: [2n, "a", "a"],
    set: 2n,
    outcome: "done: leave the term at 2: zone1/a leads it; voted for zone1/a",
  },
  "the current term, with the leader that it has": {
    known: [2n, "a"],
    set: 2n,
    leader: "a",
    outcome: "done: leave the term at 2: zone1/a leads it",
  },
  "the current term, with a leader that was not known": {
    known: [2n],
    set: 2n,
    leader: "a",
    outcome: "leave the term at 2: nobody known leads it, led by zone1/a from now on",
  },
  "the current term, with another leader": {
    known: [2n, "a"],
    set: 2n,
    leader: "b",
    outcome: "zone1/a leads term 2 already",
  },
  "a lower term": {
    known: [3n, "a"],
    set: 2n,
    outcome: "term 3 is known: a lower one needs --force and a reason",
  },
  "a lower term by force": {
    known: [3n, "a", "a"],
    set: 2n,
    force: "a mistake",
    outcome:
      "set the term to 2, which nobody leads, and forget 3: zone1/a leads it; voted for zone1/a",
  },
  "the current term by force, with another leader": {
    known: [3n, "a"],
    set: 3n,
    leader: "b",
    force: "a mistake",
    outcome: "set the term to 3, led by zone1/b, and forget 3: zone1/a leads it",
  },
};

test.each(Object.entries(CASES))("%s", (_, { known, set, leader, force = "", outcome }) => {
  const [number = 0n, leads, vote] = known ?? [];
  const now = {
    termNumber: number,
    leaderId: idOf(leads),
    acceptedLeader: idOf(vote),
    lastAcceptanceTime: undefined,
  };
  const named = leader === undefined ? undefined : { cell: "zone1", name: leader };
  expect(said(() => setStep(now, { set, leader: named, force }))).toBe(outcome);
});

function said(step: () => ReturnType<typeof setStep>): string {
  try {
    const { explanation, needed } = step();
    return needed ? explanation : `done: ${explanation}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function idOf(name: string | undefined): ID | undefined {
  return name === undefined
    ? undefined
    : { component: ID_ComponentType.MULTIPOOLER, cell: "zone1", name };
}
