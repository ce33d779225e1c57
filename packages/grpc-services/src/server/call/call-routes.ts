import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Code } from "@multipooler/proto/mtrpc";
import { plainStatus } from "../../errors/rpc-status.ts";
import type { RpcStatus } from "../../errors/rpc-status.ts";
import type { AllowedSubjects } from "../connection/allowed-subjects.ts";
import type { ManagerAccess } from "../manager-access.ts";
import type { BoundHandler, BoundService } from "../service-binding.ts";
import { CallAnswer } from "./call-answer.ts";
import type { CallLimits } from "./call-answer.ts";
import { readCallHeaders } from "./call-headers.ts";
import { CallResponse } from "./call-response.ts";
import type { CallTimes, MethodTimes } from "./call-times.ts";

export interface CallRoutesOptions {
  readonly services: readonly BoundService[];
  /** Whose calls are answered; `undefined`: those of every client. */
  readonly subjects: AllowedSubjects | undefined;
  /** Who may call the services that are guarded; `undefined`: every client. */
  readonly access: Pick<ManagerAccess, "refusalOf"> | undefined;
  readonly limits: CallLimits;
  /** Where it is counted how long calls took. */
  readonly times: CallTimes;
}

/** A method that the server knows. */
interface Route {
  /** `undefined`: this version does not offer it. */
  readonly handler: BoundHandler | undefined;
  readonly times: MethodTimes;
}

const UNSUPPORTED_MEDIA_TYPE = 415;

/** Finds the method that a stream of HTTP/2 calls, and has it answered. */
export class CallRoutes {
  readonly #methods: ReadonlyMap<string, Route>;
  readonly #times: CallTimes;
  readonly #subjects: AllowedSubjects | undefined;
  readonly #access: CallRoutesOptions["access"];
  /** The paths of methods that not every client may call. */
  readonly #guarded: ReadonlySet<string>;
  readonly #limits: CallLimits;
  /** The address of each client: asking the socket takes longer than a call should. */
  readonly #peers = new WeakMap<Http2Session, string>();

  constructor({ services, subjects, access, limits, times }: CallRoutesOptions) {
    this.#times = times;
    this.#methods = new Map(
      services.flatMap(({ name, methods }) =>
        methods.map((method) => [
          pathOf(name, method.name),
          { handler: method.handler, times: times.of(pathOf(name, method.name).slice(1)) },
        ]),
      ),
    );
    this.#guarded = new Set(
      services
        .filter(({ isGuarded }) => isGuarded === true)
        .flatMap(({ name, methods }) => methods.map((method) => pathOf(name, method.name))),
    );
    this.#subjects = subjects;
    this.#access = access;
    this.#limits = limits;
  }

  readonly onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    // Its close follows, which is what counts.
    stream.on("error", () => undefined);
    const request = readCallHeaders(headers);
    switch (request.type) {
      case "foreign":
        stream.respond({ ":status": UNSUPPORTED_MEDIA_TYPE }, { endStream: true });
        break;
      case "refused":
        this.#refuse(stream, this.#timesOf(headers[":path"] ?? ""), request.status);
        break;
      case "call": {
        const { session } = stream;
        if (session === undefined) {
          // The connection broke meanwhile.
          return;
        }
        const { path, timeoutMs, encoding } = request;
        const refusal =
          this.#refusalOf(session, path) ??
          (this.#guarded.has(path) ? this.#access?.refusalOf(session, headers) : undefined);
        const handler = this.#methods.get(path)?.handler;
        const times = this.#timesOf(path);
        if (refusal !== undefined || handler === undefined) {
          this.#refuse(
            stream,
            times,
            refusal ?? plainStatus(Code.UNIMPLEMENTED, `${path.slice(1)} is not implemented`),
          );
          return;
        }
        const peer = this.#peerOf(session);
        const call = { stream, handler, method: path.slice(1), times, peer, timeoutMs, encoding };
        new CallAnswer({ ...call, ...this.#limits }).start();
      }
    }
  };

  #timesOf(path: string): MethodTimes {
    return this.#methods.get(path)?.times ?? this.#times.other;
  }

  #refuse(stream: ServerHttp2Stream, times: MethodTimes, status: RpcStatus): void {
    times.note(status.code, 0);
    new CallResponse(stream).end(status);
  }

  #refusalOf(session: Http2Session, path: string): RpcStatus | undefined {
    if (this.#subjects?.has(session) === false) {
      const text = "the certificate of the client is not one of those that are allowed";
      return plainStatus(Code.UNAUTHENTICATED, text);
    }
    return this.#methods.has(path)
      ? undefined
      : plainStatus(Code.UNIMPLEMENTED, `there is no method ${JSON.stringify(path)}`);
  }

  #peerOf(session: Http2Session): string {
    const known = this.#peers.get(session);
    if (known !== undefined) {
      return known;
    }
    const { remoteAddress, remotePort } = session.socket;
    const peer = remoteAddress === undefined ? "unknown" : `${remoteAddress}:${remotePort}`;
    this.#peers.set(session, peer);
    return peer;
  }
}

function pathOf(service: string, method: string): string {
  return `/${service}/${method}`;
}
