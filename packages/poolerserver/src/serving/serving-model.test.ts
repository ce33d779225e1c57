import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { query } from "@multipooler/conversations";
import { PoolerErrorCode, QueryMode, ReservationReason } from "@multipooler/query-service";
import type { Outcome, ResultSink } from "@multipooler/query-service";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ServingWorld } from "../../test/serving-world.ts";
import type { TestClient } from "../../test/session-client.ts";
import { settled } from "../../test/settled.ts";
import { MultiPoolerError } from "../error.ts";

// Who gets in through the whole executor, and that everything ends. The ways of the gate itself are in
// serving-gate-model.test.ts.

const GRACE_MS = 3000;
const CLIENTS = 2;
const { NotServing } = PoolerErrorCode;

type NewKind = "single" | "reservation";

const SERVES: Readonly<Record<ServingStatus, boolean>> = {
  SERVING: true,
  SERVING_RDONLY: true,
  DRAINED: false,
  NOT_SERVING: false,
};
const NEEDS_PRIMARY: Readonly<Record<QueryMode, boolean>> = {
  WRITABLE: true,
  CONSISTENT: true,
  INCONSISTENT: false,
  UNSPECIFIED: false,
};

/** A call, and what became of it. */
interface Call {
  readonly name: string;
  readonly abort: AbortController;
  readonly isAdmitted: boolean;
  /** The cuts before it began: only a later one may end it with NOT_SERVING. */
  readonly cutsBefore: number;
  result: string;
}

interface Held {
  readonly id: bigint;
  isBusy: boolean;
}

/** What runs, and what the table of the contract says of it. */
class Model {
  readonly world = new ServingWorld(GRACE_MS);
  readonly calls: Call[] = [];
  readonly held: Held[] = [];
  readonly clients: TestClient[] = [];
  /** By client: how many statements it has sent. */
  readonly sent: number[] = [];
  readonly transitions: { readonly abort: AbortController; result: string }[] = [];
  /** Texts that must never reach a backend. */
  readonly refused: string[] = [];
  cuts = 0;
  #drain: { readonly wanted: ServingTarget; readonly cutAt: number; isLast: boolean } | undefined;
  #statements = 0;

  async open(): Promise<void> {
    await this.world.gate.setTarget(target("SERVING", "PRIMARY"), undefined);
    for (let index = 0; index < CLIENTS; index += 1) {
      this.clients.push(await this.world.connect(`s${index}`));
      this.sent.push(0);
    }
  }

  /** Whether the contract lets a new request in now. */
  admits(kind: NewKind, mode: QueryMode): boolean {
    const { current, wanted } = this.world.gate.state;
    if (wanted !== undefined && (kind === "reservation" || this.#drain?.isLast !== false)) {
      return false;
    }
    return SERVES[current.status] && (!NEEDS_PRIMARY[mode] || current.role === "PRIMARY");
  }

  /** Sees what has changed by itself. */
  async observe(): Promise<void> {
    await settled();
    const { state, counts } = this.world.gate;
    const now = this.world.clock.monotonic();
    if (state.wanted === undefined) {
      this.#drain = undefined;
    } else if (this.#drain?.wanted !== state.wanted) {
      this.#drain = { wanted: state.wanted, cutAt: now + GRACE_MS, isLast: false };
    }
    if (this.#drain !== undefined) {
      this.#drain.isLast ||= counts.reserved === 0;
    }
    expect(this.world.faults).toEqual([]);
  }

  /** Moves time; at the end of a grace everything that runs is cut. */
  advance(ms: number): void {
    const drain = this.#drain;
    if (drain !== undefined && this.world.clock.monotonic() + ms >= drain.cutAt) {
      drain.isLast = true;
      this.cuts += 1;
    }
    this.world.clock.step(ms);
  }

  call(kind: NewKind, mode: QueryMode): void {
    const isAdmitted = this.admits(kind, mode);
    this.#statements += 1;
    const sql = `read c ${this.#statements}`;
    const addressed = { database: "", tableGroup: "", shard: "", mode };
    const place =
      kind === "single"
        ? ({ type: "any" } as const)
        : ({ type: "reserve", reasons: ReservationReason.Transaction } as const);
    this.#follow({ name: sql, isAdmitted }, (sink, signal) =>
      this.world.executor.streamExecute(
        { target: addressed, caller: CALLER, place, statement: { type: "simple", sql } },
        sink,
        { signal },
      ),
    );
    if (!isAdmitted) {
      this.refused.push(sql);
    }
  }

  /** Another statement in a reservation, or its end. Neither is ever refused by the gate. */
  reserved(index: number, what: "read" | "fail" | "commit" | "rollback"): void {
    const held = this.held[index % Math.max(this.held.length, 1)];
    if (held === undefined || held.isBusy) {
      return;
    }
    held.isBusy = true;
    const { id } = held;
    const { executor } = this.world;
    this.#statements += 1;
    const sql = `${what} r ${this.#statements}`;
    this.#follow({ name: sql, isAdmitted: true, held }, (sink, signal) =>
      what === "commit" || what === "rollback"
        ? executor.concludeTransaction(
            { caller: CALLER, id, conclusion: what, chain: false, releases: "all" },
            sink,
            { signal },
          )
        : executor.streamExecute(
            {
              caller: CALLER,
              place: { type: "reserved", id },
              statement: { type: "simple", sql },
            },
            sink,
            { signal },
          ),
    );
  }

  /** A client that waits for nothing sends a statement; the table says what it is told. */
  async say(index: number, verb: "read" | "begin" | "commit"): Promise<void> {
    const client = this.clients[index];
    if (client === undefined || client.isEnded || this.#answers(client) !== this.sent[index]) {
      return;
    }
    const isHeld = client.messages.findLast((words) => words.startsWith("Z ")) === "Z T";
    const kind = verb === "begin" ? "reservation" : "single";
    const isAdmitted = isHeld || this.admits(kind, QueryMode.Unspecified);
    const from = client.messages.length;
    this.#statements += 1;
    this.sent[index] = (this.sent[index] ?? 0) + 1;
    client.send(query(`${verb} s${index} ${this.#statements}`));
    await settled();
    const isRefused = client.messages.slice(from).includes("E MTF01");
    expect(isRefused || client.isEnded, `${verb} of a client, admitted: ${isAdmitted}`).toBe(
      !isAdmitted,
    );
  }

  become(to: ServingTarget): void {
    const transition = { abort: new AbortController(), result: "pending" };
    this.transitions.push(transition);
    this.world.gate.setTarget(to, transition.abort.signal).then(
      () => (transition.result = "done"),
      (error: unknown) => (transition.result = codeOf(error)),
    );
  }

  /** Answers everything, gives up what is reserved and waits out every grace. */
  async finish(): Promise<void> {
    for (let quiet = 0; quiet < 4;) {
      const hasAnswered = this.world.answerAll();
      this.held.forEach((_, index) => this.reserved(index, "rollback"));
      this.clients.forEach((client) => {
        if (!client.isEnded && client.session.describe().type === "pinned") {
          void client.session.end("now");
        }
      });
      await this.observe();
      if (!hasAnswered && this.held.length === 0) {
        this.advance(GRACE_MS);
        await this.observe();
        quiet += 1;
      }
    }
  }

  checkCalls(): void {
    const received = this.world.backends.flatMap(({ requests }) => requests.map(({ sql }) => sql));
    for (const text of this.refused) {
      expect(received).not.toContain(text);
    }
    for (const { name, isAdmitted, cutsBefore, result } of this.calls) {
      const what = `${name}, admitted: ${isAdmitted}, ends with ${result}`;
      if (isAdmitted && this.cuts === cutsBefore) {
        expect(result, what).not.toBe(NotServing);
      } else if (!isAdmitted) {
        expect(result, what).toBe(NotServing);
      }
    }
  }

  #answers({ messages }: TestClient): number {
    return messages.filter((words) => words.startsWith("Z ")).length;
  }

  #follow(
    { name, isAdmitted, held }: Pick<Call, "name" | "isAdmitted"> & { readonly held?: Held },
    begin: (sink: ResultSink, signal: AbortSignal) => Promise<Outcome>,
  ): void {
    const call: Call = {
      name,
      abort: new AbortController(),
      isAdmitted,
      cutsBefore: this.cuts,
      result: "pending",
    };
    this.calls.push(call);
    const sink: ResultSink = {
      write: () => {
        if (call.result !== "pending") {
          this.world.faults.push(`${name} got something after its end`);
        }
        return undefined;
      },
    };
    const end = (result: string, reservation: Outcome["reservation"]): void => {
      call.result = result;
      const known = held ?? (reservation && { id: reservation.id, isBusy: false });
      if (known === undefined) {
        return;
      }
      known.isBusy = false;
      const at = this.held.indexOf(known);
      if (reservation === undefined && at >= 0) {
        this.held.splice(at, 1);
      } else if (reservation !== undefined && at < 0) {
        this.held.push(known);
      }
    };
    begin(sink, call.abort.signal).then(
      ({ reservation }) => end("done", reservation),
      (error: unknown) =>
        end(codeOf(error), error instanceof MultiPoolerError ? error.reservation : undefined),
    );
  }
}

const CALLER = { user: "", settings: new Map<string, string>(), origin: "c" };

function codeOf(error: unknown): string {
  return error instanceof MultiPoolerError ? error.code : String(error);
}

function target(status: ServingStatus, role: PoolerRole): ServingTarget {
  return { status, role, reason: "the model wants it" };
}

type Step =
  | { readonly type: "call"; readonly kind: NewKind; readonly mode: QueryMode }
  | {
      readonly type: "reserved";
      readonly index: number;
      readonly what: "read" | "fail" | "commit" | "rollback";
    }
  | { readonly type: "say"; readonly client: number; readonly verb: "read" | "begin" | "commit" }
  | { readonly type: "answer" | "lose"; readonly backend: number }
  | { readonly type: "abort" | "abandon"; readonly index: number }
  | { readonly type: "end"; readonly client: number }
  | { readonly type: "become"; readonly status: ServingStatus; readonly role: PoolerRole }
  | { readonly type: "advance"; readonly ms: number };

const index = fc.nat({ max: 7 });
const backend = fc.nat({ max: 4 });
const client = fc.nat({ max: CLIENTS - 1 });
const just = fc.constant;

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: just("call" as const),
      kind: fc.constantFrom<NewKind>("single", "reservation"),
      mode: fc.constantFrom(...Object.values(QueryMode)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: just("reserved" as const),
      index,
      what: fc.constantFrom("read" as const, "fail" as const, "commit" as const, "rollback"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: just("say" as const),
      client,
      verb: fc.constantFrom("read" as const, "begin" as const, "commit" as const),
    }),
  },
  { weight: 10, arbitrary: fc.record({ type: just("answer" as const), backend }) },
  { weight: 1, arbitrary: fc.record({ type: just("lose" as const), backend }) },
  { weight: 1, arbitrary: fc.record({ type: just("abort" as const), index }) },
  { weight: 1, arbitrary: fc.record({ type: just("abandon" as const), index }) },
  { weight: 1, arbitrary: fc.record({ type: just("end" as const), client }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: just("become" as const),
      status: fc.constantFrom("SERVING" as const, ...Object.values(ServingStatus)),
      role: fc.constantFrom("PRIMARY" as const, ...Object.values(PoolerRole)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: just("advance" as const),
      ms: fc.constantFrom(1, GRACE_MS - 1, GRACE_MS),
    }),
  },
);

async function run(model: Model, step: Step): Promise<void> {
  switch (step.type) {
    case "call":
      model.call(step.kind, step.mode);
      break;
    case "reserved":
      model.reserved(step.index, step.what);
      break;
    case "say":
      await model.say(step.client, step.verb);
      break;
    case "answer":
      model.world.backends[step.backend]?.answer();
      break;
    case "lose":
      model.world.backends[step.backend]?.lose();
      break;
    case "abort":
      model.calls.at(-1 - step.index)?.abort.abort();
      break;
    case "abandon":
      model.transitions.at(-1 - step.index)?.abort.abort();
      break;
    case "end":
      void model.clients[step.client]?.session.end("now");
      break;
    case "become":
      model.become(target(step.status, step.role));
      break;
    case "advance":
      model.advance(step.ms);
      break;
  }
  await model.observe();
}

/** Closes with whatever runs, and checks that nothing is left. */
async function closeAndCheck(model: Model): Promise<void> {
  const { world } = model;
  model.cuts += 1;
  world.isOpen = false;
  const closing = world.gate.close().then(() => world.close());
  // More turns than anything takes: what does not end in them never does.
  for (let turn = 0; turn < 10; turn += 1) {
    world.answerAll();
    await world.clock.advance(GRACE_MS);
  }
  await closing;
  model.checkCalls();
  expect(model.calls.filter(({ result }) => result === "pending")).toEqual([]);
  expect(model.transitions.filter(({ result }) => result === "pending")).toEqual([]);
  expect(world.gate.counts).toEqual({ single: 0, reserved: 0 });
  expect(world.reservations.size).toBe(0);
  expect(world.sessions.size).toBe(0);
  expect(world.backends.every(({ hasEnded }) => hasEnded)).toBe(true);
  expect(model.clients.every(({ isEnded }) => isEnded)).toBe(true);
  expect(world.clock.pending).toBe(0);
  expect(world.faults).toEqual([]);
}

test("whatever happens, nobody gets in who must not, and everything ends exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP, { maxLength: 40, size: "medium" }),
      fc.boolean(),
      async (steps, finishes) => {
        const model = new Model();
        await model.open();
        for (const step of steps) {
          await run(model, step);
        }
        if (finishes) {
          await model.finish();
          model.checkCalls();
          expect(model.calls.filter(({ result }) => result === "pending")).toEqual([]);
          expect(model.transitions.filter(({ result }) => result === "pending")).toEqual([]);
          expect(model.world.gate.counts).toEqual({ single: 0, reserved: 0 });
        }
        await closeAndCheck(model);
      },
    ),
    { numRuns: 1_000 },
  );
}, 120_000);
