import { decodeDiagnostic } from "@multipooler/query-service";
import type { PgDiagnostic } from "@multipooler/proto/query";
import { diagnosticMessage } from "../diagnostic-message.ts";

/** What notices may have together that wait for the message that they go with: 1 MiB. */
const MAX_NOTICE_BYTES = 1_048_576;

/** Keeps notices for the next message that can carry them, and counts what is too much. */
export class GatheredNotices {
  #notices: PgDiagnostic[] = [];
  #bytes = 0;
  #leftOut = 0;

  /** @param bytes a NoticeResponse */
  add(bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > MAX_NOTICE_BYTES) {
      this.#leftOut += 1;
      return;
    }
    this.#bytes += bytes.length;
    this.#notices.push(diagnosticMessage(decodeDiagnostic(bytes)));
  }

  /** Hands over what there is, and begins again. */
  take(): PgDiagnostic[] {
    const notices = this.#notices;
    if (this.#leftOut > 0) {
      notices.push(leftOutNotice(this.#leftOut));
    }
    this.#notices = [];
    this.#bytes = 0;
    this.#leftOut = 0;
    return notices;
  }
}

function leftOutNotice(count: number): PgDiagnostic {
  return diagnosticMessage({
    kind: "notice",
    severity: "WARNING",
    code: "01000",
    message: `${count} further notices were left out`,
    detail: `Notices of one COPY may have ${MAX_NOTICE_BYTES} bytes together.`,
  });
}
