import type { PoolerClient } from "@multipooler/grpc-services/client";
import { encodeParameterStatus } from "@multipooler/query-service";
import type { ClientOutput } from "./client-output.ts";
import { diagnosticOf } from "./error-words.ts";

type Streamed =
  ReturnType<PoolerClient["streamExecute"]> extends AsyncIterable<infer M> ? M : never;
/** What the stream of a statement carries beside what stays reserved. */
export type Payload = NonNullable<NonNullable<Streamed["result"]>["payload"]>;

/** Passes what a pooler streams on to a client. */
export class ResultRelay {
  readonly #output: ClientOutput;
  /** A Describe of the portal is to be answered before its rows. */
  readonly #describes: boolean;
  #hasDescribed = false;
  #messages = 0;

  constructor(output: ClientOutput, { describes }: { readonly describes: boolean }) {
    this.#output = output;
    this.#describes = describes;
  }

  /** Whether anything has come. */
  get isEmpty(): boolean {
    return this.#messages === 0;
  }

  async take(payload: Payload): Promise<void> {
    if (payload.$case === "notification") {
      return;
    }
    if (payload.$case === "diagnostic") {
      await this.#output.diagnostic(diagnosticOf(payload.value));
      return;
    }
    this.#messages += 1;
    const { fields, hasFields, passthroughBlock, commandTag, parameterStatus } = payload.value;
    if (hasFields && !this.#hasDescribed) {
      this.#hasDescribed = true;
      await this.#output.rowDescription(fields);
    }
    if (passthroughBlock.byteLength > 0) {
      await this.#output.write(passthroughBlock);
    }
    if (commandTag !== "") {
      await this.complete(commandTag);
    }
    for (const [name, value] of Object.entries(parameterStatus)) {
      await this.#output.write(encodeParameterStatus({ name, value }));
    }
  }

  /** The end of a statement, which may be one that only the gateway knows. */
  async complete(tag: string): Promise<void> {
    if (this.#describes && !this.#hasDescribed) {
      await this.#output.message("n");
    }
    this.#hasDescribed = false;
    this.#messages += 1;
    await this.#output.commandComplete(tag);
  }

  /** There was no statement. */
  async empty(): Promise<void> {
    if (this.#describes) {
      await this.#output.message("n");
    }
    await this.#output.message("I");
  }
}
