import { decodeCommandTag, decodeCopyFormats } from "@multipooler/query-service";
import type {
  CopyEvent,
  CopyFormats,
  CopyInput,
  CopyRequest,
  CopySink,
  CopySource,
  Place,
  PoolerError,
  Reservation,
} from "@multipooler/query-service";
import type { MultiPooler } from "../src/multi-pooler.ts";

const HEADER_BYTES = 5;

/** Keeps what a COPY yields. */
export class CopyRecorder implements CopySink {
  readonly events: CopyEvent[] = [];
  readonly #started = Promise.withResolvers<Reservation | undefined>();
  /** Resolves at the "started" event, with what is reserved then. */
  readonly started: Promise<Reservation | undefined> = this.#started.promise;

  write(event: CopyEvent): Promise<void> | undefined {
    this.events.push(event);
    if (event.type === "started") {
      this.#started.resolve(event.reservation);
    }
    return undefined;
  }

  get types(): readonly string[] {
    return this.events.map(({ type }) => type);
  }

  get formats(): CopyFormats | undefined {
    const started = this.events.find(({ type }) => type === "started");
    return started === undefined ? undefined : decodeCopyFormats(started.bytes);
  }

  get tags(): readonly string[] {
    return this.events.flatMap((event) =>
      event.type === "complete" ? [decodeCommandTag(event.bytes)] : [],
    );
  }

  /** The contents of the CopyData messages. */
  get frames(): readonly Buffer[] {
    const bytes = Buffer.concat(
      this.events.flatMap((event) => (event.type === "data" ? [event.bytes] : [])),
    );
    const frames: Buffer[] = [];
    for (let start = 0; start < bytes.length;) {
      const end = start + 1 + bytes.readInt32BE(start + 1);
      frames.push(bytes.subarray(start + HEADER_BYTES, end));
      start = end;
    }
    return frames;
  }

  get data(): Buffer {
    return Buffer.concat(this.frames);
  }
}

/** A source of what the test gives it, when it gives it. */
export class CopyScript implements CopySource {
  readonly #inputs: CopyInput[] = [];
  #wanted: PromiseWithResolvers<CopyInput> | undefined;
  /** How often something was asked for. */
  asked = 0;

  static of(...texts: readonly (string | Uint8Array)[]): CopyScript {
    return new CopyScript().data(...texts).done();
  }

  data(...texts: readonly (string | Uint8Array)[]): this {
    for (const text of texts) {
      this.#give({ type: "data", bytes: typeof text === "string" ? Buffer.from(text) : text });
    }
    return this;
  }

  done(): this {
    this.#give({ type: "done" });
    return this;
  }

  fail(reason: string): this {
    this.#give({ type: "fail", reason });
    return this;
  }

  breakOff(cause: Error): void {
    this.#wanted?.reject(cause);
  }

  next(): Promise<CopyInput> {
    this.asked += 1;
    const input = this.#inputs.shift();
    if (input !== undefined) {
      return Promise.resolve(input);
    }
    this.#wanted = Promise.withResolvers();
    return this.#wanted.promise;
  }

  #give(input: CopyInput): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted === undefined) {
      this.#inputs.push(input);
    } else {
      wanted.resolve(input);
    }
  }
}

/** How a COPY ended. */
export interface CopyAnswer {
  readonly recorder: CopyRecorder;
  readonly reservation: Reservation | undefined;
  readonly error: PoolerError | undefined;
}

export interface CopyWish {
  readonly source?: CopySource;
  readonly place?: Place;
  readonly recorder?: CopyRecorder;
  readonly signal?: AbortSignal;
}

/** Copies into the database, if there is a source, or out of it. */
export async function copying(
  pooler: MultiPooler,
  sql: string,
  { source, place = { type: "any" }, recorder = new CopyRecorder(), signal }: CopyWish = {},
): Promise<CopyAnswer> {
  const request: CopyRequest = {
    caller: { user: "", settings: new Map(), origin: "" },
    place,
    sql,
  };
  const service = pooler.getExecutor();
  try {
    const { reservation } =
      source === undefined
        ? await service.copyOut(request, recorder, { signal })
        : await service.copyIn(request, source, recorder, { signal });
    return { recorder, reservation, error: undefined };
  } catch (error) {
    if (!isPoolerError(error)) {
      throw error;
    }
    return { recorder, reservation: error.reservation, error };
  }
}

function isPoolerError(error: unknown): error is PoolerError {
  return error instanceof Error && error.name === "PoolerError";
}
