import { expect, test } from "vitest";
import { decide } from "./plan.ts";

const WANTED = { postgres: 1, http: 2, grpc: 3, psql: 4 };
const STATE = {
  owner: 10,
  pooler: 11,
  ports: { postgres: 4, http: 5, grpc: 6, psql: 7 },
  replicas: [],
};
const READY = { ready: true, reason: undefined };
const UNREADY = { ready: false, reason: "PostgreSQL is away" };

test.each([
  ["nothing was written down", undefined, { kind: "start-all", ports: WANTED, takeOver: true }],
  [
    "the pooler is gone",
    { state: STATE, pooler: undefined, postgresListens: true, ownerLives: true },
    { kind: "start-all", ports: WANTED, takeOver: false },
  ],
  [
    "the pooler and its owner are gone",
    { state: STATE, pooler: undefined, postgresListens: true, ownerLives: false },
    { kind: "start-all", ports: WANTED, takeOver: true },
  ],
  [
    "the pooler lacks PostgreSQL",
    { state: STATE, pooler: UNREADY, postgresListens: false, ownerLives: true },
    { kind: "complete", state: STATE, postgresListens: false, takeOver: false },
  ],
  [
    "the pooler lacks PostgreSQL and its owner",
    { state: STATE, pooler: UNREADY, postgresListens: false, ownerLives: false },
    { kind: "complete", state: STATE, postgresListens: false, takeOver: true },
  ],
  [
    "PostgreSQL has just died and the pooler has not noticed",
    { state: STATE, pooler: READY, postgresListens: false, ownerLives: true },
    { kind: "complete", state: STATE, postgresListens: false, takeOver: false },
  ],
  [
    "all runs but its owner",
    { state: STATE, pooler: READY, postgresListens: true, ownerLives: false },
    { kind: "complete", state: STATE, postgresListens: true, takeOver: true },
  ],
  [
    "all runs",
    { state: STATE, pooler: READY, postgresListens: true, ownerLives: true },
    { kind: "nothing", state: STATE, pooler: READY },
  ],
  [
    "another start is under way",
    { state: STATE, pooler: UNREADY, postgresListens: true, ownerLives: true },
    { kind: "nothing", state: STATE, pooler: UNREADY },
  ],
] as const)("knows what to do when %s", (_case, sighting, plan) => {
  expect(decide(sighting, WANTED)).toEqual(plan);
});
