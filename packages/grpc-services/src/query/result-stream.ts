import {
  decodeCommandTag,
  decodeDiagnostic,
  decodeParameterStatus,
} from "@multipooler/query-service";
import type { ParameterStatus, ResultEvent } from "@multipooler/query-service";
import { QueryResult } from "@multipooler/proto/query";
import type { Field as FieldMessage, ReservedState } from "@multipooler/proto/query";
import { rowsAffected } from "./command-tag.ts";
import { diagnosticMessage } from "./diagnostic-message.ts";
import type { KnownFields } from "./known-fields.ts";
import type { ResultMessage } from "./result-message.ts";
import type { RowBatch, RowBatcher } from "./row-batch.ts";
import type { RowsEvent } from "./row-decoder.ts";
import type { MessageSink } from "../server/rpc.ts";

export interface ResultStreamOptions {
  readonly sink: MessageSink<ResultMessage>;
  readonly batcher: RowBatcher;
  readonly known: KnownFields;
}

/**
 * Turns what a controller yields into the messages of a result stream.
 *
 * | event           | messages                                                                   |
 * | --------------- | -------------------------------------------------------------------------- |
 * | fields          | none; the fields go with each message of their statement                   |
 * | rows            | one for each batch that is full                                            |
 * | complete        | one: the last rows, the command tag and, if there are fields, the fields   |
 * | suspended       | pending rows, if there are any                                             |
 * | empty           | none                                                                       |
 * | notice          | pending rows, so that the order of PostgreSQL is kept; then the diagnostic |
 * | parameterStatus | pending rows; then a result with nothing but the parameter                 |
 * | the end         | pending rows, then what stays reserved, then the status of the call        |
 */
export class ResultStream {
  readonly #sink: MessageSink<ResultMessage>;
  readonly #batcher: RowBatcher;
  readonly #known: KnownFields;
  /** `undefined` between the statements, and in one that returns no rows. */
  #fields: FieldMessage[] | undefined;

  constructor({ sink, batcher, known }: ResultStreamOptions) {
    this.#sink = sink;
    this.#batcher = batcher;
    this.#known = known;
  }

  /**
   * Takes one event. A promise means that the client is behind.
   *
   * @throws MESSAGE_TOO_LARGE or MALFORMED_ROWS, after which the stream is of no use.
   */
  take(event: ResultEvent): Promise<void> | undefined {
    switch (event.type) {
      case "fields":
        return this.#begin(event.bytes);
      case "rows":
        return this.#addRows(event);
      case "complete":
        return this.#complete(decodeCommandTag(event.bytes));
      case "suspended":
        return this.#suspend();
      case "empty":
        return undefined;
      case "notice":
        return this.#sendAfterRows({
          kind: "diagnostic",
          diagnostic: diagnosticMessage(decodeDiagnostic(event.bytes)),
        });
      case "parameterStatus":
        return this.#sendAfterRows(parameterMessage(decodeParameterStatus(event.bytes)));
    }
  }

  /**
   * Sends what is left when the statement is over, also when an error cut it short: what the
   * database sent before an error, and what stays reserved, reach the client before the error.
   */
  end(state: ReservedState | undefined): Promise<void> | undefined {
    return state === undefined
      ? this.#flush()
      : this.#sendAfterRows({ kind: "reservation", state });
  }

  /** The beginning of a row that will not be completed is left out: a client has no use for it. */
  #flush(): Promise<void> | undefined {
    const batch = this.#batcher.take();
    const isEmpty = batch.rows.length === 0 && batch.block.length === 0;
    return isEmpty || batch.inProgress
      ? undefined
      : this.#sink.write(this.#resultMessage(batch, ""));
  }

  #begin(bytes: Uint8Array): undefined {
    this.#fields = this.#known.get(bytes);
  }

  #addRows(event: RowsEvent): Promise<void> | undefined {
    let behind: Promise<void> | undefined;
    this.#batcher.add(event, this.#fields?.length, (batch) => {
      behind = this.#sink.write(this.#resultMessage(batch, ""));
    });
    return behind;
  }

  #complete(commandTag: string): Promise<void> | undefined {
    const message = this.#resultMessage(this.#batcher.take(), commandTag);
    this.#fields = undefined;
    return this.#sink.write(message);
  }

  /** The portal has more rows than were asked for: what came of them goes without a tag. */
  #suspend(): Promise<void> | undefined {
    const behind = this.#flush();
    this.#fields = undefined;
    return behind;
  }

  #sendAfterRows(message: ResultMessage): Promise<void> | undefined {
    const behind = this.#flush();
    return this.#sink.write(message) ?? behind;
  }

  #resultMessage(batch: RowBatch, commandTag: string): ResultMessage {
    return {
      kind: "result",
      result: {
        fields: this.#fields ?? [],
        hasFields: this.#fields !== undefined,
        rows: batch.rows,
        commandTag,
        rowsAffected: rowsAffected(commandTag),
        notices: [],
        passthroughBlock: EMPTY,
        passthroughRowCount: batch.rowCount,
        passthroughRowInProgress: batch.inProgress,
        parameterStatus: {},
      },
      block: batch.block,
    };
  }
}

const EMPTY = new Uint8Array(0);

function parameterMessage({ name, value }: ParameterStatus): ResultMessage {
  return {
    kind: "result",
    result: QueryResult.fromPartial({ parameterStatus: { [name]: value } }),
    block: [],
  };
}
