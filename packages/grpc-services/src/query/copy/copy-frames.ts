import { MalformedMessageError } from "@multipooler/query-service";

const HEADER_BYTES = 5;
const LENGTH_START = 1;
const TYPE_BYTES = 1;
const COPY_DATA = 0x64;

/** Takes the content of one CopyData message, or a piece of one that is too long. */
export type TakeFrame = (parts: readonly Uint8Array[]) => void;

/**
 * Cuts what a COPY sends into the contents of its CopyData messages. One that comes in pieces is put
 * together, up to a limit: beyond that its pieces are handed on as they are.
 */
export class CopyFrames {
  readonly #maxFrameBytes: number;
  /** Of the message in progress: what is kept of it. */
  #parts: Uint8Array[] = [];
  #keptBytes = 0;
  #isInProgress = false;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** @throws MalformedMessageError for bytes that are no run of CopyData */
  take(
    event: { readonly bytes: Uint8Array; readonly inProgress: boolean },
    frame: TakeFrame,
  ): void {
    if (this.#isInProgress || event.inProgress) {
      this.#takePiece(event, frame);
    } else {
      takeRun(event.bytes, frame);
    }
  }

  #takePiece(
    { bytes, inProgress }: { readonly bytes: Uint8Array; readonly inProgress: boolean },
    frame: TakeFrame,
  ): void {
    const content = this.#isInProgress ? bytes : bytes.subarray(HEADER_BYTES);
    this.#isInProgress = inProgress;
    if (this.#keptBytes > 0 && this.#keptBytes + content.length > this.#maxFrameBytes) {
      this.#flush(frame);
    }
    this.#parts.push(content);
    this.#keptBytes += content.length;
    if (!inProgress) {
      this.#flush(frame);
    }
  }

  #flush(frame: TakeFrame): void {
    const parts = this.#parts;
    this.#parts = [];
    this.#keptBytes = 0;
    frame(parts);
  }
}

function takeRun(bytes: Uint8Array, frame: TakeFrame): void {
  const run = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  while (start < run.length) {
    const isWhole = start + HEADER_BYTES <= run.length && run[start] === COPY_DATA;
    const end = isWhole ? start + TYPE_BYTES + run.readInt32BE(start + LENGTH_START) : -1;
    if (end < start + HEADER_BYTES || end > run.length) {
      throw new MalformedMessageError("these bytes are no run of CopyData");
    }
    frame([run.subarray(start + HEADER_BYTES, end)]);
    start = end;
  }
}
