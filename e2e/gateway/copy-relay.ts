import type { CopyBidiExecuteInput, PoolerClient } from "@multipooler/grpc-services/client";
import type { ClientOutput } from "./client-output.ts";
import type { ClientState } from "./client-state.ts";
import { diagnosticOf } from "./error-words.ts";
import type { Inbox } from "./inbox.ts";
import type { PoolerCalls } from "./pooler-calls.ts";

type CopyAnswer =
  ReturnType<PoolerClient["copyBidiExecute"]> extends AsyncIterable<infer Message>
    ? Message
    : never;

const Phase = { Initiate: 0, Data: 1, Done: 2, Fail: 3 } as const;
const Answered = { Ready: 0, Data: 1, Result: 2 } as const;
const Direction = { in: 0, out: 1 } as const;

export interface CopyRelayParts {
  readonly state: ClientState;
  readonly calls: PoolerCalls;
  readonly output: ClientOutput;
  /** Where the client's data come from. */
  readonly inbox: Inbox;
}

/** Carries one COPY between a client and the pooler. */
export class CopyRelay {
  readonly #parts: CopyRelayParts;
  readonly #way: "in" | "out";
  readonly #ready = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<undefined>();

  constructor(parts: CopyRelayParts, way: "in" | "out") {
    this.#parts = parts;
    this.#way = way;
  }

  async run(query: string): Promise<void> {
    try {
      await this.#parts.calls.copy(this.#requests(query), (answer) => this.#take(answer));
    } finally {
      this.#over.resolve(undefined);
    }
  }

  /** What the pooler is told: the statement, then, once it is ready, the client's data. */
  async *#requests(query: string): AsyncGenerator<CopyBidiExecuteInput, void, void> {
    const initiation = this.#parts.calls.copyInitiation();
    yield { ...initiation, phase: Phase.Initiate, query, direction: Direction[this.#way] };
    await Promise.race([this.#ready.promise, this.#over.promise]);
    let isOver = this.#way === "out";
    while (!isOver) {
      const input = await this.#nextInput();
      isOver = input?.phase !== Phase.Data;
      if (input !== undefined) {
        yield input;
      }
    }
  }

  /** `undefined` when the COPY is over before the client has said so: the rest is not for it. */
  async #nextInput(): Promise<CopyBidiExecuteInput | undefined> {
    const { inbox, calls } = this.#parts;
    const message = await Promise.race([inbox.first(), this.#over.promise]);
    switch (message?.type) {
      case "copyData":
        await inbox.next();
        return { phase: Phase.Data, data: message.data };
      case "copyDone":
        await inbox.next();
        return { phase: Phase.Done };
      case "copyFail":
        await inbox.next();
        return { phase: Phase.Fail, errorMessage: message.reason };
      case "flush":
      case "sync":
        await inbox.next();
        return await this.#nextInput();
      default:
        // The client is gone, or says what it may not.
        calls.cancel();
        return undefined;
    }
  }

  async #take(answer: CopyAnswer): Promise<void> {
    const { output, state } = this.#parts;
    const { phase, result, notices } = answer;
    if (phase === Answered.Ready) {
      state.keep(answer.reservedState);
      await output.message(this.#way === "in" ? "G" : "H", formatsOf(answer));
      this.#ready.resolve();
    } else if (phase === Answered.Data && answer.data.byteLength > 0) {
      await output.message("d", answer.data);
    } else if (phase === Answered.Result && this.#way === "out") {
      await output.message("c");
    }
    for (const notice of notices) {
      await output.diagnostic(diagnosticOf(notice));
    }
    if (phase === Answered.Result) {
      await output.commandComplete(result?.commandTag ?? "");
    }
  }
}

function formatsOf({ format, columnFormats }: CopyAnswer): Buffer {
  const body = Buffer.alloc(3 + 2 * columnFormats.length);
  body.writeInt8(format);
  body.writeInt16BE(columnFormats.length, 1);
  for (const [index, each] of columnFormats.entries()) {
    body.writeInt16BE(each, 3 + 2 * index);
  }
  return body;
}
