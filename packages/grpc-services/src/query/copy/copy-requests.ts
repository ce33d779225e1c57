import type { CopyInput, CopySource } from "@multipooler/query-service";
import { CopyBidiExecuteRequest_Phase as Phase } from "@multipooler/proto/multipoolerservice";
import type { CopyBidiExecuteRequest } from "@multipooler/proto/multipoolerservice";
import { GrpcServicesError, GrpcServicesErrorCode } from "../../errors/error.ts";
import type { MessageSource } from "../../server/rpc.ts";

const DEFAULT_REASON = "operation aborted by client";

/** The first message of a call. @throws INVALID_ARGUMENT for another one */
export async function initiation(
  requests: MessageSource<CopyBidiExecuteRequest>,
): Promise<CopyBidiExecuteRequest> {
  const request = await requests.next();
  if (request?.phase !== Phase.INITIATE) {
    const got = request === undefined ? "the end of the stream" : phaseName(request.phase);
    throw new GrpcServicesError(
      GrpcServicesErrorCode.InvalidArgument,
      `expected INITIATE, got ${got}`,
    );
  }
  return request;
}

/** What the client of a call sends for a COPY, after the first message. */
export class CopyRequests implements CopySource {
  readonly #requests: MessageSource<CopyBidiExecuteRequest>;
  #isDone = false;
  #failure: GrpcServicesError | undefined;

  constructor(requests: MessageSource<CopyBidiExecuteRequest>) {
    this.#requests = requests;
  }

  /** Why the call fails, if it is the client who had the COPY fail. */
  get failure(): GrpcServicesError | undefined {
    return this.#failure;
  }

  async next(): Promise<CopyInput> {
    if (this.#isDone) {
      return { type: "done" };
    }
    const request = await this.#requests.next();
    if (request === undefined) {
      throw this.#fail(
        GrpcServicesErrorCode.IncompleteRequest,
        "the client ended its stream before DONE",
      );
    }
    switch (request.phase) {
      case Phase.DATA:
        return { type: "data", bytes: request.data };
      case Phase.DONE:
        this.#isDone = true;
        return request.data.length === 0 ? { type: "done" } : { type: "data", bytes: request.data };
      case Phase.FAIL: {
        const reason = request.errorMessage === "" ? DEFAULT_REASON : request.errorMessage;
        this.#fail(GrpcServicesErrorCode.Aborted, `COPY aborted: ${reason}`);
        return { type: "fail", reason };
      }
      case Phase.INITIATE:
      // An enum of proto3 is open: any number may arrive.
      case Phase.UNRECOGNIZED:
      default:
        throw this.#fail(
          GrpcServicesErrorCode.InvalidArgument,
          `expected DATA, DONE or FAIL, got ${phaseName(request.phase)}`,
        );
    }
  }

  #fail(code: GrpcServicesErrorCode, message: string): GrpcServicesError {
    this.#failure = new GrpcServicesError(code, message);
    return this.#failure;
  }
}

function phaseName(phase: Phase): string {
  const [name] = Object.entries(Phase).find(([, value]) => value === phase) ?? [];
  return name === undefined || phase === Phase.UNRECOGNIZED ? `phase ${String(phase)}` : name;
}
