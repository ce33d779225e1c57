import type { ResultEvent } from "@multipooler/query-service";
import type { EventRequest, ExtendedStep, RequestEnd } from "../connection/request.ts";
import { PgwireError, PgwireErrorCode } from "../error.ts";
import { statementBytes, writeStatement } from "../messages/extended-writer.ts";

/**
 * A unit of the extended protocol behind the statement that opens its transaction, in one write. When
 * that one fails the server passes over everything up to the Sync of the unit, so that the unit never
 * runs outside of the transaction that it was meant for. The tag of the opening statement is no event
 * of the unit.
 */
export class BegunUnit implements EventRequest {
  readonly answer = "events";
  readonly byteLength: number;
  readonly #begin: string;
  readonly #unit: EventRequest;
  #hasBegun = false;

  /**
   * @param options.begin one statement that returns no rows
   * @param options.unit has its size, and ends with the first Sync in it
   * @throws INVALID_ARGUMENT for a NUL character
   */
  constructor(options: { readonly begin: string; readonly unit: EventRequest }) {
    const { begin, unit } = options;
    if (begin.includes("\0")) {
      throw new PgwireError(
        PgwireErrorCode.InvalidArgument,
        "a statement cannot hold a NUL character",
      );
    }
    this.#begin = begin;
    this.#unit = unit;
    this.byteLength = statementBytes(begin) + unit.byteLength;
  }

  /** Whether the opening statement has succeeded. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  writeTo(target: Buffer, start: number): number {
    return this.#unit.writeTo(target, writeStatement(target, start, this.#begin));
  }

  event(event: ResultEvent): Promise<void> | undefined {
    if (!this.#hasBegun && event.type === "complete") {
      this.#hasBegun = true;
      return undefined;
    }
    return this.#unit.event(event);
  }

  step(step: ExtendedStep): void {
    if (this.#hasBegun) {
      this.#unit.step?.(step);
    }
  }

  described(parameters: Uint8Array): void {
    this.#unit.described?.(parameters);
  }

  settle(end: RequestEnd): void {
    this.#unit.settle(end);
  }
}
