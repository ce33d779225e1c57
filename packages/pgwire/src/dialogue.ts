import { parseDiagnostic } from "./diagnostic.ts";
import { PgwireError, PgwireErrorCode, postgresError, protocolViolation } from "./error.ts";
import { frameCode } from "./message-reader.ts";
import type { Frame } from "./message-reader.ts";
import { recordParameterStatus } from "./parameter-status.ts";
import { BackendMessage, messageTypeName } from "./protocol.ts";
import type { RequestQueue } from "./request-queue.ts";
import type { Session } from "./startup.ts";
import { parseTransactionStatus } from "./transaction-status.ts";
import type { TransactionStatus } from "./transaction-status.ts";

/**
 * Brings together what the server says and the requests it says it to: answers go to the request
 * that is running, the state of the session is kept here.
 */
export class Dialogue {
  readonly #queue: RequestQueue;
  readonly #parameters: Map<string, string>;
  #transactionStatus: TransactionStatus;

  constructor({ queue, session }: { readonly queue: RequestQueue; readonly session: Session }) {
    this.#queue = queue;
    this.#parameters = session.parameters;
    this.#transactionStatus = session.transactionStatus;
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters;
  }

  get transactionStatus(): TransactionStatus {
    return this.#transactionStatus;
  }

  /**
   * Takes one frame. A promise, which never rejects, asks to wait before the next.
   *
   * @throws CONNECTION_LOST when the server says that it ends the session, PROTOCOL_VIOLATION.
   */
  frame(frame: Frame): Promise<void> | undefined {
    if (frame.type !== "message") {
      return this.#answer(frame);
    }
    switch (frame.code) {
      case BackendMessage.ReadyForQuery:
        this.#ready(frame.body);
        return undefined;
      case BackendMessage.ErrorResponse:
        this.#error(frame.body);
        return undefined;
      case BackendMessage.NoticeResponse: {
        const { diagnostic } = parseDiagnostic("notice", frame.body);
        return this.#queue.running?.deliver({ type: "notice", notice: diagnostic });
      }
      case BackendMessage.ParameterStatus: {
        const status = recordParameterStatus(this.#parameters, frame.body);
        return this.#queue.running?.deliver({ type: "parameterStatus", ...status });
      }
      case BackendMessage.NotificationResponse:
        // Sessions of a pool are shared, so nobody on them can be the one who listens.
        return undefined;
      default:
        return this.#answer(frame);
    }
  }

  #answer(frame: Frame): Promise<void> | undefined {
    const { running } = this.#queue;
    if (running === undefined) {
      const name = messageTypeName(frameCode(frame));
      throw protocolViolation(`message ${name} came without a request`);
    }
    return running.frame(frame);
  }

  #ready(body: Buffer): void {
    const request = this.#queue.shift();
    if (request === undefined) {
      throw protocolViolation("ReadyForQuery came without a request");
    }
    this.#transactionStatus = parseTransactionStatus(body);
    request.settle();
  }

  #error(body: Buffer): void {
    const { diagnostic, fatal } = parseDiagnostic("error", body);
    const { running } = this.#queue;
    // An error that answers nothing is the server's last word, whatever its severity.
    if (fatal || running === undefined) {
      const message = `the server ended the session: ${diagnostic.message}`;
      throw new PgwireError(PgwireErrorCode.ConnectionLost, message, { diagnostic });
    }
    running.fail(postgresError(diagnostic, { sent: true }));
  }
}
