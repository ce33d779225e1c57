import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import { encodeCommandTag } from "@multipooler/query-service";
import type { Diagnostic, ResultEvent } from "@multipooler/query-service";
import { ManualClock } from "@multipooler/timing/testing";
import { Taint } from "../src/classification/taint.ts";
import type { TaintSet } from "../src/classification/taint.ts";
import { MultiPoolerError } from "../src/error.ts";
import { Call } from "../src/execution/call.ts";
import type { CallOptions } from "../src/execution/call.ts";
import { NO_SETTINGS } from "../src/pool/label-settings.ts";
import type { Lease } from "../src/pool/lease.ts";
import type { Unit } from "../src/pool/unit.ts";
import { HeldStatements } from "../src/statements/held-statements.ts";
import { StatementRegistry } from "../src/statements/statement-registry.ts";
import { FakeBackend } from "./fake-backend.ts";
import type { FakeRequest } from "./fake-backend.ts";
import { RecordingSink } from "./recording-sink.ts";

export const COMPLETE: ResultEvent = { type: "complete", bytes: encodeCommandTag("SELECT 1") };
export const CUT: MultiPoolerError = new MultiPoolerError(
  "NOT_SERVING",
  "this pooler is becoming NOT_SERVING",
);

type Result = { readonly type: "done" } | { readonly type: "failed"; readonly error: unknown };

/** A call on a fake session, and what became of the session. */
export class CallScene {
  readonly clock: ManualClock = new ManualClock();
  readonly controller: AbortController = new AbortController();
  readonly sink: RecordingSink = new RecordingSink();
  readonly registry: StatementRegistry = new StatementRegistry();
  readonly statements: HeldStatements = new HeldStatements();
  backend: FakeBackend;
  readonly terminations: { processId: number; ended: PromiseWithResolvers<void> }[] = [];
  readonly cleaned: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  outcome: "held" | "released" | "discarded" = "held";
  taint: TaintSet = Taint.None;
  /** Whether a unit gets a session at once. */
  grantsAtOnce = true;
  waiting: Unit | undefined;
  submissions = 0;
  ends = 0;
  call: Call | undefined;

  constructor(onRequest?: (request: FakeRequest) => void) {
    this.backend = new FakeBackend(onRequest);
  }

  async run(options: Partial<CallOptions> = {}): Promise<Result> {
    const engine = {
      scheduler: {
        submit: (unit: Unit) => this.#submit(unit),
        withdraw: () => this.waiting !== undefined,
      },
      clock: this.clock,
      terminate: (processId: number) => {
        const ended = Promise.withResolvers<void>();
        this.terminations.push({ processId, ended });
        return ended.promise;
      },
      registry: this.registry,
    };
    this.call = new Call({
      engine,
      origin: "",
      taint: Taint.None,
      sink: this.sink,
      signal: this.controller.signal,
      statement: { type: "simple", sql: "select 1" },
      preparation: { registry: this.registry, conditions: "", drops: false },
      onEnd: () => {
        this.ends += 1;
      },
      ...options,
    });
    try {
      await this.call.run();
      return { type: "done" };
    } catch (error) {
      return { type: "failed", error };
    }
  }

  #submit(unit: Unit): void {
    this.submissions += 1;
    if (this.grantsAtOnce) {
      unit.granted(this.#lease());
    } else {
      this.waiting = unit;
    }
  }

  #lease(): Lease {
    const { backend } = this;
    return {
      backend,
      statements: this.statements,
      settings: NO_SETTINGS,
      noteSettings: () => undefined,
      want: () => undefined,
      watch: () => undefined,
      taint: (taint) => {
        this.taint |= taint;
      },
      release: () => {
        this.outcome = "released";
        return this.taint === Taint.None ? undefined : this.cleaned.promise;
      },
      discard: (reason) => {
        this.outcome = "discarded";
        backend.destroy(reason);
      },
    };
  }

  get sent(): string[] {
    return this.backend.requests.map(({ sql }) => sql);
  }

  request(index: number): FakeRequest {
    const found = this.backend.requests[index];
    if (found === undefined) {
      throw new Error(`request ${index} was not sent`);
    }
    return found;
  }
}

export function postgresError(code: string): PgwireError {
  const diagnostic: Diagnostic = { kind: "error", severity: "ERROR", code, message: "no" };
  return new PgwireError(PgwireErrorCode.Postgres, "no", { diagnostic, sent: true });
}
