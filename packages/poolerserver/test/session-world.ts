import { PoolerRole, ServingStatus } from "@multipooler/controller-api";
import type { ServingTarget } from "@multipooler/controller-api";
import { ManualClock } from "@multipooler/timing/testing";
import { expect } from "vitest";
import { ActivityTotals } from "../src/pool/activity-totals.ts";
import { CountingShare } from "./counting-share.ts";
import { extended, query } from "@multipooler/conversations";
import { TestClient } from "./session-client.ts";
import { settled } from "./settled.ts";
import { noChannels } from "./no-channels.ts";
import { silentLogger } from "./silent-logger.ts";
import { SpeakingBackend } from "./speaking-backend.ts";
import type { Classification } from "../src/classification/classification.ts";
import { Taint } from "../src/classification/taint.ts";
import { Labels } from "../src/pool/labels.ts";
import { UserBudget } from "../src/pool/user-budget.ts";
import { UserPools } from "../src/pool/user-pools.ts";
import { ServingGate } from "../src/serving/serving-gate.ts";
import { StatementRegistry } from "../src/statements/statement-registry.ts";
import { Sessions } from "../src/session/sessions.ts";

/** Clients of a {@link SessionWorld}. */
export const CLIENTS = 5;
const CAPACITY = 2;
export const SERVING: ServingTarget = {
  status: ServingStatus.Serving,
  role: PoolerRole.Primary,
  reason: "the test wants it",
};

const PLAIN: Classification = {
  statements: 1,
  sharing: "shareable",
  taint: Taint.None,
  certainTaint: Taint.None,
  ddl: false,
  copy: undefined,
  opensTransaction: false,
  endsTransaction: false,
  deallocates: false,
  makesTemporary: false,
  setsLocally: false,
  escapes: undefined,
};
const BY_VERB: Readonly<Record<string, Classification>> = {
  read: PLAIN,
  fail: PLAIN,
  write: { ...PLAIN, sharing: "mayWait" },
  alone: { ...PLAIN, sharing: "exclusive" },
  begin: { ...PLAIN, sharing: "exclusive", opensTransaction: true },
  commit: { ...PLAIN, sharing: "exclusive", endsTransaction: true },
  rollback: { ...PLAIN, sharing: "exclusive", endsTransaction: true },
  taint: { ...PLAIN, sharing: "exclusive", taint: Taint.State, certainTaint: Taint.State },
};
/** Sessions over a scheduler whose backends answer when the test says so. */
export class SessionWorld {
  readonly clock: ManualClock = new ManualClock();
  readonly backends: SpeakingBackend[] = [];
  readonly clients: TestClient[] = [];
  /** By client: what it has sent. */
  readonly sent: string[][] = [];
  readonly gate: ServingGate;
  readonly scheduler: UserPools;
  readonly sessions: Sessions;
  /** Ends a server process. */
  terminate: (processId: number) => Promise<void> = () => Promise.resolve();
  #statements = 0;

  constructor() {
    const { clock } = this;
    this.gate = new ServingGate({
      drainGraceMs: 1000,
      isOpen: () => true,
      prepare: () => undefined,
      clock,
      logger: silentLogger,
    });
    this.scheduler = new UserPools(
      {
        openBackend: () => async () => {
          const backend = new SpeakingBackend();
          this.backends.push(backend);
          return backend;
        },
        capacity: CAPACITY,
        budget: new UserBudget({ share: new CountingShare(10), capacity: CAPACITY, clock }),
        database: "app",
        user: "app",
        demandWindowMs: 30_000,
        idleTimeoutMs: 0,
        maxLifetimeMs: 0,
        waitTimeoutMs: 0,
        maxQueueBytes: 1_000_000,
        totals: new ActivityTotals(),
        sharingDepth: 8,
        closeGraceMs: 300,
        processes: { activities: () => Promise.resolve([]), endIdle: () => Promise.resolve() },
        suspect: () => undefined,
        clock,
        random: () => 0,
        logger: silentLogger,
      },
      "read-write",
    );
    this.sessions = new Sessions({
      channels: noChannels,
      served: { user: "app" },
      gate: this.gate,
      scheduler: this.scheduler,
      registry: new StatementRegistry(),
      labels: new Labels({ user: "app", settingsCacheSize: 100 }),
      terminate: async (processId) => await this.terminate(processId),
      classifier: {
        classify: (text) => BY_VERB[text.split(" ")[0] ?? ""] ?? PLAIN,
        noteDdl: () => undefined,
        changes: 0,
        taintSince: () => Taint.None,
      },
      limits: { inputBytes: 60, heldBytes: 300 },
      clock,
      logger: silentLogger,
    });
  }

  async open(): Promise<void> {
    await this.gate.setTarget(SERVING, undefined);
    for (let index = 0; index < CLIENTS; index += 1) {
      const client = new TestClient();
      const caller = { user: "", database: "", settings: new Map(), origin: `c${index}` };
      client.attach(await this.sessions.open(caller, client));
      this.clients.push(client);
      this.sent.push([]);
    }
  }

  send(index: number, verbs: readonly string[], isExtended: boolean): void {
    const client = this.clients[index];
    if (client === undefined || client.isEnded || !client.wantsMore) {
      return;
    }
    const texts = verbs.map((verb) => {
      this.#statements += 1;
      return `${verb} c${index} ${this.#statements}`;
    });
    this.sent[index]?.push(...texts);
    client.send(...texts.map((text) => (isExtended ? extended(text) : query(text))));
  }

  /** Answers everything that can be answered. */
  async finish(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      const hasAnswered = this.backends.some((backend) => backend.answer());
      for (const client of this.clients) {
        if (!client.isReading && !client.isEnded) {
          client.read();
        }
      }
      await settled();
      quiet = hasAnswered ? 0 : quiet + 1;
    }
  }

  /** Ends the sessions that keep a backend between their units. */
  endPinned(): void {
    for (const client of this.clients) {
      if (!client.isEnded && client.session.describe().type === "pinned") {
        void client.session.end("now");
      }
    }
  }

  checkComplete(): void {
    for (const [index, client] of this.clients.entries()) {
      if (!client.isEnded) {
        expect(answersOf(client.messages)).toHaveLength(this.sent[index]?.length ?? 0);
        expect(client.wantsMore).toBe(true);
      }
    }
  }

  check(): void {
    const received = this.backends.flatMap((backend) => backend.received.filter(isOfClient));
    expect(new Set(received).size).toBe(received.length);
    for (const backend of this.backends) {
      expect(backend.faults).toEqual([]);
    }
    for (const [index, client] of this.clients.entries()) {
      checkAnswers(answersOf(client.messages), this.sent[index] ?? []);
      this.#checkStays(`c${index}`);
      const last = client.messages.findLast((words) => words.startsWith("FATAL"));
      expect(last === undefined || client.isEnded).toBe(true);
      expect(last).not.toBe("FATAL 53400");
    }
  }

  /** What a client has tainted runs everything that the client sends from then on. */
  #checkStays(client: string): void {
    const backends = this.backends.filter(({ log }) =>
      log.some((text) => text.startsWith(`taint ${client}`)),
    );
    expect(backends.length).toBeLessThanOrEqual(1);
    const [own] = backends;
    const since = own?.log.findIndex((text) => text.startsWith(`taint ${client}`)) ?? 0;
    const number = numberOf(own?.log[since] ?? "");
    for (const { log } of own === undefined ? [] : this.backends) {
      const later = log.filter((text) => text.includes(` ${client} `) && numberOf(text) > number);
      expect(later.every((text) => own?.log.includes(text))).toBe(true);
    }
  }
}

interface Answer {
  readonly row: string | undefined;
  readonly hasFailed: boolean;
  readonly status: string;
}

function isOfClient(text: string): boolean {
  return /^[a-z]+ c\d/u.test(text);
}

function numberOf(text: string): number {
  return Number(text.split(" ")[2]);
}

/** Each answer is that of the unit at its place, and tells the transaction that the client is in. */
function checkAnswers(answers: readonly Answer[], sent: readonly string[]): void {
  expect(answers.length).toBeLessThanOrEqual(sent.length);
  let status = "I";
  for (const [position, { row, hasFailed, status: reported }] of answers.entries()) {
    const text = sent[position] ?? "";
    expect(row === text || (row === undefined && hasFailed)).toBe(true);
    if (hasFailed) {
      status = status === "I" ? "I" : "E";
    } else if (text.startsWith("begin")) {
      status = "T";
    } else if (text.startsWith("commit")) {
      status = "I";
    }
    expect(reported).toBe(status);
  }
}

/** What came before each ReadyForQuery. */
function answersOf(messages: readonly string[]): Answer[] {
  const answers: Answer[] = [];
  let row: string | undefined;
  let hasFailed = false;
  for (const words of messages) {
    if (words.startsWith("D ")) {
      row = words.slice(2);
    } else if (words.startsWith("E ")) {
      hasFailed = true;
    } else if (words.startsWith("Z ")) {
      answers.push({ row, hasFailed, status: words.slice(2) });
      row = undefined;
      hasFailed = false;
    }
  }
  return answers;
}
