import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import type { Target } from "@multipooler/proto/query";
import { describe, expect, test } from "vitest";
import { Direction, beginCopy } from "./copying.ts";
import { WRITABLE } from "./gateway.ts";
import type { Gateway } from "./gateway.ts";
import { onState } from "./result-reading.ts";
import { useScene } from "./scene.ts";
import type { CallEnd } from "./wire-client.ts";

// Sections 5.2 and 5.3 of the contract, call by call: who is admitted, and which code the others get.

const TRANSACTION = 1;
const BLOCKED = "select 'blocked' from pg_sleep(600)";
const WRONG: Target["shardKey"] = { database: "postgres", tableGroup: "other", shard: "0-inf" };

const scene = useScene({ pooler: { controller: { drainGraceMs: 0 } } });

/** What a request is to the gate. */
type Kind = "single" | "reservation" | "reserved";
/** Where the controller is on the way from one status to another. */
type Stage = "at rest" | "until no reservation is left" | "until nothing runs";
type Mode = 0 | 1 | 2 | 3;

type Reserved = ReturnType<typeof onState>;

interface Call {
  readonly kind: Kind;
  run(gateway: Gateway, target: Target, options: Reserved): Promise<CallEnd>;
}

const QUERY = "select 1";
const RESERVATION = { reasons: TRANSACTION };
const PREPARED = { name: "s", query: QUERY };

/** Every call that has a target. */
const CALLS = {
  ExecuteQuery: {
    kind: "single",
    run: (gateway, target) => gateway.executeQuery({ query: QUERY, target }),
  },
  StreamExecute: {
    kind: "single",
    run: (gateway, target) => gateway.streamExecute({ query: QUERY, target }),
  },
  PortalStreamExecute: {
    kind: "single",
    run: (gateway, target) => gateway.portal({ target, preparedStatement: PREPARED }),
  },
  Describe: {
    kind: "single",
    run: (gateway, target) => gateway.describe({ target, preparedStatement: PREPARED }),
  },
  "StreamExecute that reserves": {
    kind: "reservation",
    run: async (gateway, target) =>
      await released(
        gateway,
        gateway.streamExecute({ query: QUERY, target, reservationOptions: RESERVATION }),
      ),
  },
  "PortalStreamExecute with a limit": {
    kind: "reservation",
    run: async (gateway, target) => {
      const options = { maxRows: 1n };
      const series = { name: "s", query: "select generate_series(1, 3)" };
      const portal = gateway.portal({ target, options, preparedStatement: series });
      return await released(gateway, portal);
    },
  },
  CopyBidiExecute: {
    kind: "reservation",
    run: (gateway, target) => {
      const copy = { direction: Direction.ToStdout, query: "copy (select 1) to stdout", target };
      return beginCopy(gateway, copy).halfClose().answer();
    },
  },
  "StreamExecute in a reservation": {
    kind: "reserved",
    run: (gateway, target, options) => gateway.streamExecute({ query: QUERY, target, options }),
  },
  "Describe in a reservation": {
    kind: "reserved",
    run: (gateway, target, options) =>
      gateway.describe({ target, preparedStatement: PREPARED, options }),
  },
  DiscardTempTables: {
    kind: "reserved",
    run: (gateway, target, options) => gateway.discardTempTables({ target, options }),
  },
  ConcludeTransaction: {
    kind: "reserved",
    run: (gateway, target, options) =>
      gateway.conclude({ target, options, conclusion: 1, chain: true }),
  },
} satisfies Record<string, Call>;

const MODES: readonly Mode[] = [0, 1, 2, 3];
const NEEDS_PRIMARY: Readonly<Record<Mode, boolean>> = { 0: false, 1: true, 2: true, 3: false };
const SERVES: Readonly<Record<ServingStatus, boolean>> = {
  SERVING: true,
  SERVING_RDONLY: true,
  DRAINED: false,
  NOT_SERVING: false,
};
/** Which kinds may ask for the status at all. */
const STAGES: Readonly<Record<Stage, readonly Kind[]>> = {
  "at rest": ["single", "reservation"],
  "until no reservation is left": ["single"],
  "until nothing runs": [],
};

interface Place {
  readonly stage: Stage;
  readonly status: ServingStatus;
  readonly role: PoolerRole;
}

const PLACES: readonly Place[] = Object.keys(STAGES)
  .filter((name): name is Stage => name in STAGES)
  .flatMap((stage) =>
    Object.values(ServingStatus)
      .filter((status) => stage === "at rest" || SERVES[status])
      .flatMap((status) => Object.values(PoolerRole).map((role) => ({ stage, status, role }))),
  );

/** What a request has to get: nothing amiss, or this code. */
function verdict(kind: Kind, mode: Mode, place: Place, isHeld: boolean): string {
  if (kind === "reserved") {
    return isHeld ? "admitted" : "40001";
  }
  const { stage, status, role } = place;
  const isAdmitted =
    STAGES[stage].includes(kind) &&
    SERVES[status] &&
    (!NEEDS_PRIMARY[mode] || role === PoolerRole.Primary);
  return isAdmitted ? "admitted" : "MTF01";
}

function outcomeOf({ code, text, rpcError }: CallEnd): string {
  return code === 0 ? "admitted" : (rpcError?.pgDiagnostic?.code ?? `${code} ${text}`);
}

type Streamed = Awaited<ReturnType<Gateway["streamExecute"]>>;
type Portal = Awaited<ReturnType<Gateway["portal"]>>;

/** Gives up what a call has reserved. */
async function released(
  gateway: Gateway,
  call: Promise<Streamed> | Promise<Portal>,
): Promise<CallEnd> {
  const answer = await call;
  const options = onState(answer);
  if (options.reservedConnectionId !== 0n) {
    await gateway.release({ options });
  }
  return answer;
}

/** Begins a reservation that is there when the controller goes to the place, where there can be one. */
async function reserve(gateway: Gateway): Promise<Reserved> {
  const target = { ...WRITABLE, mode: 0 } as const;
  return onState(
    await gateway.streamExecute({ query: QUERY, target, reservationOptions: RESERVATION }),
  );
}

/** Does `work` with the controller at a place, and brings it back to serving. */
async function at(
  { stage, status, role }: Place,
  work: (held: Reserved | undefined) => Promise<void>,
): Promise<void> {
  const { pooler, gateway, postgres } = scene;
  const controller = pooler.manager.queryServiceControl();
  const become = (to: Pick<ServingTarget, "status" | "role">): Promise<void> =>
    controller.setServingType({ ...to, reason: "the test wants it" });
  const away = { status: ServingStatus.Drained, role: PoolerRole.Replica };
  await become({ status, role });
  const held =
    SERVES[status] && stage !== "until nothing runs" ? await reserve(gateway) : undefined;
  switch (stage) {
    case "at rest":
      await work(held);
      break;
    case "until no reservation is left": {
      const leaving = become(away).catch(() => undefined);
      await work(held);
      await become({ status, role });
      await leaving;
      break;
    }
    case "until nothing runs": {
      const blocked = gateway.beginStream({ query: BLOCKED, target: { ...WRITABLE, mode: 0 } });
      const running = "select 1 from pg_stat_activity where query = $1 and state = 'active'";
      await expect.poll(() => postgres.sql(running, { values: [BLOCKED] })).toHaveLength(1);
      const leaving = become(away).catch(() => undefined);
      await work(held);
      await become({ status, role });
      await leaving;
      blocked.cancel();
      await blocked.ended;
    }
  }
  if (held !== undefined) {
    await gateway.release({ options: held });
  }
}

describe.each(PLACES)("$stage, $status as $role", (place) => {
  test("every call in every mode is admitted, or gets MTF01", async () => {
    const { gateway } = scene;
    await at(place, async (held) => {
      const seen: Record<string, string> = {};
      const expected: Record<string, string> = {};
      for (const [name, call] of Object.entries<Call>(CALLS)) {
        for (const mode of MODES) {
          const options = held ?? { reservedConnectionId: 1n };
          const answer = await call.run(gateway, { ...WRITABLE, mode }, options);
          seen[`${name} ${mode}`] = outcomeOf(answer);
          expected[`${name} ${mode}`] = verdict(call.kind, mode, place, held !== undefined);
        }
      }
      seen["GetAuthCredentials"] = outcomeOf(await gateway.credentials("postgres"));
      expected["GetAuthCredentials"] = verdict("reservation", 0, place, false);
      expect(seen).toEqual(expected);
    });
  });

  test("what is meant for another shard gets MTD01, whatever is served", async () => {
    const { gateway } = scene;
    await at(place, async (held) => {
      const options = held ?? { reservedConnectionId: 1n };
      const outcomes = Object.entries<Call>(CALLS).map(async ([name, call]) => {
        const answer = await call.run(gateway, { shardKey: WRONG, mode: 0 }, options);
        return [name, outcomeOf(answer)];
      });
      const expected = Object.keys(CALLS).map((name) => [name, "MTD01"]);
      expect(await Promise.all(outcomes)).toEqual(expected);
    });
  });
});
