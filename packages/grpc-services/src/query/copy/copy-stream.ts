import {
  decodeCommandTag,
  decodeCopyFormats,
  decodeDiagnostic,
  decodeParameterStatus,
} from "@multipooler/query-service";
import type { CopyEvent, Reservation } from "@multipooler/query-service";
import { QueryResult } from "@multipooler/proto/query";
import type { ReservedState } from "@multipooler/proto/query";
import { errorStatus } from "../../errors/error-status.ts";
import { decodeRpcError } from "../../errors/rpc-status.ts";
import type { MessageSink } from "../../server/rpc.ts";
import { rowsAffected } from "../command-tag.ts";
import { CopyFrames } from "./copy-frames.ts";
import { DATA_OVERHEAD_BYTES } from "./copy-message.ts";
import type { CopyMessage } from "./copy-message.ts";
import { diagnosticMessage } from "../diagnostic-message.ts";
import { GatheredNotices } from "./gathered-notices.ts";

export interface CopyStreamOptions {
  readonly sink: MessageSink<CopyMessage>;
  /** "out": a notice has a message of its own, between the rows. */
  readonly way: "in" | "out";
  /** The largest message that the client takes. */
  readonly maxMessageBytes: number;
  readonly stateOf: (reservation: Reservation | undefined) => ReservedState | undefined;
}

/**
 * Turns the events of a COPY into messages:
 *
 * | event           | message                                                          |
 * | --------------- | ---------------------------------------------------------------- |
 * | started         | READY, with the notices before it                                |
 * | data            | a DATA for each CopyData                                         |
 * | notice          | out: a DATA between the rows; in: goes with the next message     |
 * | parameterStatus | goes with the RESULT                                             |
 * | complete        | goes with the RESULT, which is sent when it is known what stays reserved |
 */
export class CopyStream {
  readonly #options: CopyStreamOptions;
  readonly #frames: CopyFrames;
  readonly #notices = new GatheredNotices();
  readonly #result: QueryResult = QueryResult.fromPartial({});
  #hasStarted = false;

  constructor(options: CopyStreamOptions) {
    this.#options = options;
    this.#frames = new CopyFrames(options.maxMessageBytes - DATA_OVERHEAD_BYTES);
  }

  /** @throws MalformedMessageError */
  take(event: CopyEvent): Promise<void> | undefined {
    switch (event.type) {
      case "started":
        return this.#start(event);
      case "data":
        return this.#sendData(event);
      case "notice":
        return this.#takeNotice(event.bytes);
      case "parameterStatus": {
        const { name, value } = decodeParameterStatus(event.bytes);
        this.#result.parameterStatus[name] = value;
        return undefined;
      }
      case "complete":
        this.#result.commandTag = decodeCommandTag(event.bytes);
        this.#result.rowsAffected = rowsAffected(this.#result.commandTag);
        return undefined;
    }
  }

  /** The COPY has succeeded. */
  succeed(reservation: Reservation | undefined): Promise<void> | undefined {
    const state = this.#options.stateOf(reservation);
    const notices = this.#notices.take();
    return this.#options.sink.write({ kind: "result", result: this.#result, state, notices });
  }

  /** The COPY has failed, as the status of the call is going to say, too. */
  fail(error: unknown, reservation: Reservation | undefined): Promise<void> | undefined {
    const state = this.#options.stateOf(reservation);
    const { message: text, details } = errorStatus(error);
    const diagnostic = details === undefined ? undefined : decodeRpcError(details)?.pgDiagnostic;
    const notices = this.#notices.take();
    return this.#options.sink.write({ kind: "error", text, diagnostic, state, notices });
  }

  #start({
    bytes,
    reservation,
  }: Extract<CopyEvent, { type: "started" }>): Promise<void> | undefined {
    this.#hasStarted = true;
    const formats = decodeCopyFormats(bytes);
    const state = this.#options.stateOf(reservation);
    const notices = this.#notices.take();
    return this.#options.sink.write({ kind: "ready", ...formats, state, notices });
  }

  #sendData(event: Extract<CopyEvent, { type: "data" }>): Promise<void> | undefined {
    let behind: Promise<void> | undefined;
    this.#frames.take(event, (parts) => {
      behind = this.#options.sink.write({ kind: "data", parts });
    });
    return behind;
  }

  #takeNotice(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#options.way === "out" && this.#hasStarted) {
      const notice = diagnosticMessage(decodeDiagnostic(bytes));
      return this.#options.sink.write({ kind: "notice", notice });
    }
    this.#notices.add(bytes);
    return undefined;
  }
}
