import type { TestPostgres } from "@multipooler/test-postgres";
import type { LeakClient, StepAnswer } from "./leak-client.ts";
import { LeakSteps } from "./leak-steps.ts";
import type { Step, TransactionState } from "./leak-steps.ts";
import { OBSERVE, hasMark, tracesIn } from "./observation.ts";
import type { SeededNumbers } from "./observation.ts";
import { SeededRandom } from "./seeded-random.ts";

/** Clients whose requests run at the same time. */
const MAX_AT_ONCE = 4;
/** Fewer than there are backends, so that the others do not wait for them. */
const MAX_TRANSACTIONS = 3;
/** The steps before a leak that its report tells. */
const REPORTED_STEPS = 60;
/** A transaction in which its client has taken no step for a while is ended. */
const RESERVATION_LOST = "40001";
const ECHO = "select $1::text";
const PREPARED_OBSERVATION = `${OBSERVE} where $1::text <> ''`;

export interface LeakRunOptions {
  readonly seed: number;
  readonly steps: number;
  readonly clients: readonly LeakClient[];
  readonly seeded: SeededNumbers;
}

interface Participant {
  readonly client: LeakClient;
  transaction: TransactionState;
  /** Rows of the ledger that its transaction has written. */
  written: number[];
}

/**
 * Lets clients take random steps, some of them at the same time, and looks for what one of them sees
 * of another. The same seed gives the same steps in the same order; which of those at one time comes
 * first at the pooler may differ.
 */
export class LeakRun {
  readonly #options: LeakRunOptions;
  readonly #random: SeededRandom;
  readonly #steps: LeakSteps;
  readonly #participants: readonly Participant[];
  readonly #history: string[] = [];
  readonly #committed = new Set<number>();
  #count = 0;

  constructor(options: LeakRunOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#steps = new LeakSteps(this.#random);
    this.#participants = options.clients.map((client) => ({
      client,
      transaction: "none",
      written: [],
    }));
  }

  /** @throws an error that tells the leak, the seed and the last steps */
  async run(): Promise<void> {
    while (this.#count < this.#options.steps) {
      const turns = this.#participantsOfRound().map((participant) => ({
        participant,
        step: this.#stepOf(participant),
      }));
      this.#count += turns.length;
      await Promise.all(
        turns.map(async ({ participant, step }) => {
          await this.#take(participant, step);
        }),
      );
    }
    for (const { client } of this.#participants) {
      await client.leave("politely");
    }
  }

  /** Compares what was acknowledged as committed with what there is. */
  async checkLedger(postgres: TestPostgres): Promise<void> {
    const rows = await postgres.sql("select id from ledger order by id");
    const ids = new Set(rows.map(({ id }) => Number(id)));
    const missing = [...this.#committed].filter((id) => !ids.has(id));
    const surplus = [...ids].filter((id) => !this.#committed.has(id));
    if (missing.length > 0 || surplus.length > 0) {
      this.#fail(`rows ${missing.join()} were lost, rows ${surplus.join()} were not committed`);
    }
  }

  #participantsOfRound(): Participant[] {
    const left = [...this.#participants];
    const count = 1 + this.#random.below(Math.min(MAX_AT_ONCE, left.length));
    return Array.from({ length: count }, () => {
      const [chosen] = left.splice(this.#random.below(left.length), 1);
      if (chosen === undefined) {
        throw new Error("there are fewer clients than steps at one time");
      }
      return chosen;
    });
  }

  #stepOf(participant: Participant): Step {
    const { client, transaction } = participant;
    const open = this.#participants.filter((other) => other.transaction !== "none").length;
    const step = this.#steps.next(client, transaction, { mayBegin: open < MAX_TRANSACTIONS });
    if (step.type === "begin") {
      participant.transaction = "open";
    }
    this.#history.push(`client ${client.number}, ${transaction}: ${JSON.stringify(step)}`);
    return step;
  }

  async #take(participant: Participant, step: Step): Promise<void> {
    const { client } = participant;
    switch (step.type) {
      case "trace":
      case "reset":
      case "fail":
        this.#note(participant, await client.run(step.sql));
        return;
      case "observe":
        this.#look(
          participant,
          step.isPrepared
            ? await client.prepared(PREPARED_OBSERVATION, "look")
            : await client.run(OBSERVE),
        );
        return;
      case "echo": {
        const answer = await client.prepared(ECHO, step.value);
        this.#note(participant, answer);
        if (answer.error === undefined && answer.value !== step.value) {
          this.#fail(`client ${client.number} got ${answer.value} for ${step.value}`);
        }
        return;
      }
      case "write":
        await this.#write(participant, step.id);
        return;
      case "begin": {
        const answer = await client.begin(step.sql);
        if (step.sql === OBSERVE) {
          this.#look(participant, answer);
        } else {
          this.#note(participant, answer);
        }
        return;
      }
      case "commit":
      case "rollback":
        await this.#conclude(participant, step.type);
        return;
      case "leave":
        await client.leave(step.how);
        this.#close(participant);
        return;
      case "leaveOpen":
        await client.leaveOpen(step.sql);
    }
  }

  async #write(participant: Participant, id: number): Promise<void> {
    const answer = await participant.client.run(`insert into public.ledger values (${id})`);
    this.#note(participant, answer);
    if (answer.error !== undefined) {
      return;
    }
    if (participant.transaction === "none") {
      this.#committed.add(id);
    } else {
      participant.written.push(id);
    }
  }

  async #conclude(participant: Participant, conclusion: "commit" | "rollback"): Promise<void> {
    const { transaction, written } = participant;
    const { error } = await participant.client.conclude(conclusion);
    if (conclusion === "commit" && transaction === "open" && error === undefined) {
      for (const id of written) {
        this.#committed.add(id);
      }
    }
    this.#close(participant);
  }

  #close(participant: Participant): void {
    participant.transaction = "none";
    participant.written = [];
  }

  #note(participant: Participant, { error }: StepAnswer): void {
    if (error !== undefined && participant.transaction === "open") {
      participant.transaction = "failed";
    }
  }

  #look(participant: Participant, answer: StepAnswer): void {
    const { client, transaction } = participant;
    this.#note(participant, answer);
    if (answer.value === undefined) {
      const wasLost = transaction === "open" && answer.error === RESERVATION_LOST;
      if (transaction !== "failed" && !wasLost) {
        this.#fail(`client ${client.number} could not look: ${answer.error}`);
      }
      return;
    }
    const { number, isLabelled, keepsState } = client;
    const found = tracesIn(answer.value, this.#options.seeded);
    const mayHaveOwn = keepsState || transaction !== "none";
    for (const { place, text, client: whose } of found) {
      const isLabel = isLabelled && place === "mark";
      if (whose !== number || !(mayHaveOwn || isLabel)) {
        this.#fail(`client ${number} sees ${JSON.stringify(text)} as ${place}, of client ${whose}`);
      }
    }
    if (isLabelled && !mayHaveOwn && !hasMark(found, number)) {
      this.#fail(`client ${number} lacks its settings: ${answer.value}`);
    }
  }

  #fail(problem: string): never {
    const steps = this.#history.slice(-REPORTED_STEPS).join("\n");
    const replay = `MULTIPOOLER_LEAK_SEED=${this.#options.seed}`;
    throw new Error(`${problem}\nat step ${this.#count}, replayed with ${replay}, after\n${steps}`);
  }
}
