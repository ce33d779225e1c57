import { FrameFault } from "./frame-fault.ts";
import { isAuthentication, LoginGuard } from "./login-guard.ts";

/** A type byte and a length. */
export const HEADER_BYTES = 5;
/** Start-up messages, errors and notices: more is not worth memory on this path. */
const MAX_MESSAGE_BYTES = 1_048_576;
/** One row of an administrative statement. */
const MAX_ROW_BYTES = 16_777_216;

/**
 * Cuts the byte stream of a server into messages and lets pass only what is whole, within bounds
 * and well formed: `pg` loops for ever on a text without end and throws, where nobody can catch it,
 * on what it does not know.
 *
 * @see https://www.postgresql.org/docs/17/protocol-message-formats.html
 */
export class FrameGuard {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #neededBytes = HEADER_BYTES;
  #isFirst = true;
  readonly #login: LoginGuard;

  /** `mustBind`: a login that is not bound to the server's certificate is a fault. */
  constructor({ mustBind = false }: { readonly mustBind?: boolean } = {}) {
    this.#login = new LoginGuard({ mustBind });
  }

  /**
   * The whole messages that `chunk` completes, as one block; `undefined` where it completes none.
   *
   * @throws FrameFault
   */
  accept(chunk: Buffer): Buffer | undefined {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#neededBytes) {
      return undefined;
    }
    const bytes = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending);
    const end = this.#walk(bytes);
    const rest = bytes.subarray(end);
    this.#pending = rest.length === 0 ? [] : [rest];
    this.#pendingBytes = rest.length;
    return end === 0 ? undefined : bytes.subarray(0, end);
  }

  /** Checks each whole message and returns where the last one ends. */
  #walk(bytes: Buffer): number {
    let start = 0;
    this.#neededBytes = HEADER_BYTES;
    while (start + HEADER_BYTES <= bytes.length) {
      const type = String.fromCharCode(bytes.readUInt8(start));
      const length = bytes.readInt32BE(start + 1);
      this.#checkHeader(type, length, bytes.subarray(start, start + HEADER_BYTES));
      this.#isFirst = false;
      const end = start + 1 + length;
      if (end > bytes.length) {
        this.#neededBytes = end - start;
        break;
      }
      const body = bytes.subarray(start + HEADER_BYTES, end);
      checkBody(type, body);
      if (type === "R") {
        this.#login.check(body);
      }
      start = end;
    }
    return start;
  }

  #checkHeader(type: string, length: number, header: Buffer): void {
    const isKnown = BODY_CHECKS.has(type);
    // "SSH-" and "HTTP" are letters throughout; no length that PostgreSQL sends is.
    if (this.#isFirst && (!isKnown || header.every((byte) => byte >= 0x20 && byte < 0x7f))) {
      throw new FrameFault("notPostgresql", "the answer is not PostgreSQL's protocol");
    }
    if (!isKnown) {
      throw new FrameFault("broken", `a message of unknown type ${JSON.stringify(type)}`);
    }
    const limit = type === "D" ? MAX_ROW_BYTES : MAX_MESSAGE_BYTES;
    if (length < 4 || length > limit) {
      throw new FrameFault(
        "broken",
        `a message of type "${type}" with the length ${length}; it must be 4 to ${limit}`,
      );
    }
  }
}

function checkBody(type: string, body: Buffer): void {
  const check = BODY_CHECKS.get(type);
  if (check !== undefined && !check(body)) {
    throw new FrameFault("broken", `a malformed message of type "${type}"`);
  }
}

const isEmpty = (body: Buffer): boolean => body.length === 0;

/** Whether a body is so many texts, each ended by a zero byte, behind `skip` bytes. */
const isTexts =
  (count: number, skip = 0) =>
  (body: Buffer): boolean => {
    let at = skip;
    for (let text = 0; text < count; text += 1) {
      const end = body.indexOf(0, at);
      if (end === -1) {
        return false;
      }
      at = end + 1;
    }
    return at === body.length;
  };

/** The fields of an error or a notice; every one that a server sends has a SQLSTATE. */
function isDiagnostic(body: Buffer): boolean {
  let at = 0;
  let hasCode = false;
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    if (end === -1) {
      return false;
    }
    hasCode ||= body[at] === "C".charCodeAt(0);
    at = end + 1;
  }
  return hasCode && at === body.length - 1;
}

function isRowDescription(body: Buffer): boolean {
  if (body.length < 2) {
    return false;
  }
  let at = 2;
  for (let field = 0; field < body.readUInt16BE(0); field += 1) {
    const end = body.indexOf(0, at);
    if (end === -1) {
      return false;
    }
    at = end + 19;
  }
  return at === body.length;
}

function isDataRow(body: Buffer): boolean {
  if (body.length < 2) {
    return false;
  }
  let at = 2;
  for (let column = 0; column < body.readUInt16BE(0); column += 1) {
    if (at + 4 > body.length) {
      return false;
    }
    const length = body.readInt32BE(at);
    if (length < -1) {
      return false;
    }
    at += 4 + Math.max(0, length);
  }
  return at === body.length;
}

/** The messages that a client gets which never copies; what each body must be. */
const BODY_CHECKS: ReadonlyMap<string, (body: Buffer) => boolean> = new Map([
  ["R", isAuthentication],
  ["E", isDiagnostic],
  ["N", isDiagnostic],
  ["S", isTexts(2)],
  ["A", isTexts(2, 4)],
  ["C", isTexts(1)],
  ["K", (body) => body.length === 8],
  ["Z", (body) => body.length === 1],
  ["T", isRowDescription],
  ["D", isDataRow],
  ["t", (body) => body.length >= 2 && body.length === 2 + 4 * body.readUInt16BE(0)],
  ["1", isEmpty],
  ["2", isEmpty],
  ["3", isEmpty],
  ["I", isEmpty],
  ["n", isEmpty],
  ["s", isEmpty],
]);
