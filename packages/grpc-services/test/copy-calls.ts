import { encodeCommandTag, encodeCopyFormats } from "@multipooler/query-service";
import type { CopyRequest, Reservation } from "@multipooler/query-service";
import { GrpcStatusError } from "../src/client/index.ts";
import type { CopyBidiExecuteInput, PoolerClient } from "../src/client/index.ts";
import { FakePoolerError } from "./fake-manager.ts";
import type { CopyVerbs } from "./fake-manager.ts";

const PHASES = ["READY", "DATA", "RESULT", "ERROR"] as const;

type Response =
  ReturnType<PoolerClient["copyBidiExecute"]> extends AsyncIterable<infer Message>
    ? Message
    : never;

/** What one call carried, in its order. */
export interface CopyCall {
  readonly responses: readonly Response[];
  readonly phases: readonly string[];
  readonly error: GrpcStatusError | undefined;
}

/** Sends the requests, and then ends its side, or leaves it open. */
export async function copyCall(
  client: PoolerClient,
  requests: readonly CopyBidiExecuteInput[],
  { staysOpen = false }: { readonly staysOpen?: boolean } = {},
): Promise<CopyCall> {
  const over = Promise.withResolvers<void>();
  async function* sent(): AsyncGenerator<CopyBidiExecuteInput, void, void> {
    yield* requests;
    if (staysOpen) {
      await over.promise;
    }
  }
  const responses: Response[] = [];
  let error: GrpcStatusError | undefined;
  try {
    for await (const response of client.copyBidiExecute(sent())) {
      responses.push(response);
    }
  } catch (thrown) {
    if (!(thrown instanceof GrpcStatusError)) {
      throw thrown;
    }
    error = thrown;
  } finally {
    over.resolve();
  }
  return { responses, phases: responses.map(({ phase }) => PHASES.at(phase) ?? "?"), error };
}

/** A controller that counts the bytes that it gets, and has none to give. */
export class CountingCopies implements CopyVerbs {
  readonly requests: CopyRequest[] = [];
  readonly #reservation: Reservation | undefined;
  bytes = 0;
  inputs: string[] = [];

  constructor(reservation?: Reservation) {
    this.#reservation = reservation;
  }

  readonly copyIn: CopyVerbs["copyIn"] = async (request, source, sink) => {
    this.requests.push(request);
    const bytes = encodeCopyFormats("in", { format: 0, columnFormats: [0, 1] });
    await sink.write({ type: "started", bytes, reservation: this.#reservation });
    for (;;) {
      const input = await source.next();
      this.inputs.push(input.type);
      if (input.type === "done") {
        break;
      }
      if (input.type === "fail") {
        throw new FakePoolerError("DATABASE_ERROR", `COPY failed: ${input.reason}`, {
          kind: "error",
          severity: "ERROR",
          code: "57014",
          message: `COPY from stdin failed: ${input.reason}`,
        });
      }
      this.bytes += input.bytes.length;
    }
    await sink.write({ type: "complete", bytes: encodeCommandTag(`COPY ${this.bytes}`) });
    return { reservation: this.#reservation };
  };

  readonly copyOut: CopyVerbs["copyOut"] = async (request, sink) => {
    this.requests.push(request);
    const bytes = encodeCopyFormats("out", { format: 0, columnFormats: [] });
    await sink.write({ type: "started", bytes, reservation: this.#reservation });
    await sink.write({ type: "complete", bytes: encodeCommandTag("COPY 0") });
    return { reservation: this.#reservation };
  };
}
