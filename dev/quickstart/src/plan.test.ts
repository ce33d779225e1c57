import { expect, test } from "vitest";
import { decide } from "./plan.ts";

const wanted = { postgres: 1, http: 2, grpc: 3 };
const state = { owner: 10, pooler: 11, ports: { postgres: 4, http: 5, grpc: 6 } };
const ready = { ready: true, reason: undefined };
const unready = { ready: false, reason: "PostgreSQL is away" };

test.each([
  ["nothing was written down", undefined, { kind: "start-all", ports: wanted }],
  [
    "the pooler is gone",
    { state, pooler: undefined, postgresListens: true, ownerLives: true },
    { kind: "start-all", ports: wanted },
  ],
  [
    "the pooler lacks PostgreSQL",
    { state, pooler: unready, postgresListens: false, ownerLives: true },
    { kind: "start-postgres", state, adopt: false },
  ],
  [
    "the pooler lacks PostgreSQL and its owner",
    { state, pooler: unready, postgresListens: false, ownerLives: false },
    { kind: "start-postgres", state, adopt: true },
  ],
  [
    "PostgreSQL has just died and the pooler has not noticed",
    { state, pooler: ready, postgresListens: false, ownerLives: true },
    { kind: "start-postgres", state, adopt: false },
  ],
  [
    "all runs",
    { state, pooler: ready, postgresListens: true, ownerLives: true },
    { kind: "nothing", state, pooler: ready },
  ],
  [
    "another start is under way",
    { state, pooler: unready, postgresListens: true, ownerLives: true },
    { kind: "nothing", state, pooler: unready },
  ],
] as const)("knows what to do when %s", (_case, sighting, plan) => {
  expect(decide(sighting, wanted)).toEqual(plan);
});
