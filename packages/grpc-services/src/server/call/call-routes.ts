import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Code } from "@multipooler/proto/mtrpc";
import { plainStatus } from "../../errors/rpc-status.ts";
import type { RpcStatus } from "../../errors/rpc-status.ts";
import type { AllowedSubjects } from "../connection/allowed-subjects.ts";
import type { ManagerAccess } from "../manager-access.ts";
import type { BoundMethod, BoundService } from "../service-binding.ts";
import { CallAnswer } from "./call-answer.ts";
import type { CallLimits } from "./call-answer.ts";
import { readCallHeaders } from "./call-headers.ts";
import { CallResponse } from "./call-response.ts";

export interface CallRoutesOptions {
  readonly services: readonly BoundService[];
  /** Whose calls are answered; `undefined`: those of every client. */
  readonly subjects: AllowedSubjects | undefined;
  /** Who may call the services that are guarded; `undefined`: every client. */
  readonly access: Pick<ManagerAccess, "refusalOf"> | undefined;
  readonly limits: CallLimits;
}

const UNSUPPORTED_MEDIA_TYPE = 415;

/** Finds the method that a stream of HTTP/2 calls, and has it answered. */
export class CallRoutes {
  readonly #methods: ReadonlyMap<string, BoundMethod>;
  readonly #subjects: AllowedSubjects | undefined;
  readonly #access: CallRoutesOptions["access"];
  /** The paths of methods that not every client may call. */
  readonly #guarded: ReadonlySet<string>;
  readonly #limits: CallLimits;
  /** The address of each client: asking the socket takes longer than a call should. */
  readonly #peers = new WeakMap<Http2Session, string>();

  constructor({ services, subjects, access, limits }: CallRoutesOptions) {
    this.#methods = new Map(services.flatMap(methodsByPath));
    this.#guarded = new Set(
      services
        .filter(({ isGuarded }) => isGuarded === true)
        .flatMap((service) => methodsByPath(service).map(([path]) => path)),
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
        refuse(stream, request.status);
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
        if (refusal !== undefined || handler === undefined) {
          refuse(
            stream,
            refusal ?? plainStatus(Code.UNIMPLEMENTED, `${path.slice(1)} is not implemented`),
          );
          return;
        }
        const peer = this.#peerOf(session);
        const call = { stream, handler, method: path.slice(1), peer, timeoutMs, encoding };
        new CallAnswer({ ...call, ...this.#limits }).start();
      }
    }
  };

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

function methodsByPath({ name, methods }: BoundService): (readonly [string, BoundMethod])[] {
  return methods.map((method) => [`/${name}/${method.name}`, method]);
}

function refuse(stream: ServerHttp2Stream, status: RpcStatus): void {
  new CallResponse(stream).end(status);
}
