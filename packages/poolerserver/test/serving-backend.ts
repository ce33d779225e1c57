import type { Request } from "@multipooler/pgwire";
import { encodeCommandTag, encodeDiagnostic } from "@multipooler/query-service";
import { postgresError } from "./call-scene.ts";
import { FakeBackend } from "./fake-backend.ts";

/** What a client of the model sends: `begin`, `commit`, `rollback`, `fail`, `read`, and a number. */
const OF_A_CLIENT = /^(?:begin|commit|rollback|read|fail)\b/iu;

/** A backend that answers one request whenever the test says so, and knows its transaction. */
export class ServingBackend extends FakeBackend {
  override readonly processId: number;
  #answered = 0;

  constructor(processId: number) {
    super();
    this.processId = processId;
  }

  /** Whether something of a client runs. */
  get isUsed(): boolean {
    const text = this.requests[this.#answered]?.sql ?? "";
    return this.running !== undefined && OF_A_CLIENT.test(text);
  }

  /** The answer is an error, if the request is alone. */
  override async cancel(request: Request): Promise<void> {
    if (this.running === request && this.inFlight === 1) {
      this.answer("57014");
    }
  }

  /** Answers the request that runs, with an error if there is one. False: none runs. */
  answer(failure?: string): boolean {
    const request = this.running;
    const fake = this.requests[this.#answered];
    if (request === undefined || fake === undefined) {
      return false;
    }
    this.#answered += 1;
    const error = failure ?? fake.texts.map((text) => this.#run(text)).find(Boolean);
    if (error !== undefined && this.transactionStatus === "T") {
      this.transactionStatus = "E";
    }
    if (request.answer === "spans") {
      request.span(spanOf(error, this.transactionStatus));
      fake.succeed();
    } else if (error === undefined) {
      void fake.write({ type: "complete", bytes: encodeCommandTag(tagOf(fake.sql)) });
      fake.succeed();
    } else {
      fake.fail(postgresError(error));
    }
    return true;
  }

  #run(text: string): string | undefined {
    if (/^(?:commit|rollback)\b/iu.test(text)) {
      this.transactionStatus = "I";
      return undefined;
    }
    if (this.transactionStatus === "E") {
      return "25P02";
    }
    if (/^begin\b/iu.test(text)) {
      this.transactionStatus = "T";
    }
    return /^fail\b/iu.test(text) ? "22012" : undefined;
  }
}

function tagOf(text: string): string {
  return (text.split(" ")[0] ?? "").toUpperCase();
}

function spanOf(error: string | undefined, status: string): Buffer {
  const answer =
    error === undefined
      ? encodeCommandTag("SELECT 1")
      : encodeDiagnostic({ kind: "error", severity: "ERROR", code: error, message: "as told" });
  return Buffer.concat([answer, Buffer.from(`Z\0\0\0\u0005${status}`)]);
}
