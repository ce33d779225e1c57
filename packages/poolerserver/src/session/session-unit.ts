import type { RequestEnd, SpanRequest } from "@multipooler/pgwire";
import type { MultiPoolerError } from "../error.ts";
import type { Lease } from "../pool/lease.ts";
import type { Unit, UnitKind } from "../pool/unit.ts";

/** The session that a unit belongs to. None of these may throw. */
export interface UnitOwner {
  granted(lease: Lease): void;
  refused(error: MultiPoolerError): void;
  /** The next bytes of the answer. False: the client is behind. */
  answered(bytes: Uint8Array): boolean;
  /** The backend takes more of an open unit. */
  drained(): void;
  settled(end: RequestEnd): void;
}

const NOTHING: Uint8Array = new Uint8Array();

/**
 * What a session has at the scheduler or on a backend. A session has one at a time, so that one
 * object serves all its statements.
 */
export class SessionUnit implements Unit, SpanRequest {
  readonly answer = "spans";
  readonly origin: string;
  readonly #owner: UnitOwner;
  #kind: UnitKind = "shareable";
  #bytes: Uint8Array = NOTHING;

  constructor(options: { readonly origin: string; readonly owner: UnitOwner }) {
    this.origin = options.origin;
    this.#owner = options.owner;
  }

  get kind(): UnitKind {
    return this.#kind;
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  /** Becomes another unit. The one before has ended. */
  become(kind: UnitKind, bytes: Uint8Array): void {
    this.#kind = kind;
    this.#bytes = bytes;
  }

  /** Lets go of the bytes: an idle client keeps no chunk of what it has sent. */
  forget(): void {
    this.#bytes = NOTHING;
  }

  writeTo(target: Buffer, start: number): number {
    target.set(this.#bytes, start);
    return start + this.#bytes.length;
  }

  granted(lease: Lease): void {
    this.#owner.granted(lease);
  }

  refused(error: MultiPoolerError): void {
    this.#owner.refused(error);
  }

  span(bytes: Uint8Array): boolean {
    return this.#owner.answered(bytes);
  }

  drained(): void {
    this.#owner.drained();
  }

  settle(end: RequestEnd): void {
    this.#owner.settled(end);
  }
}
