import { PgwireError, PgwireErrorCode } from "@multipooler/pgwire";
import type { RequestEnd, SpanRequest } from "@multipooler/pgwire";
import type { MultiPoolerError } from "../../error.ts";
import type { Label } from "../../pool/label.ts";
import type { Lease } from "../../pool/lease.ts";
import type { Unit, UnitKind } from "../../pool/unit.ts";
import type { Waiting } from "../../pool/waiting.ts";
import type { CarriedState } from "../carried-state.ts";
import type { StatementMessage } from "../statements/statement-message.ts";
import type { StatementPlacement } from "../statements/statement-placement.ts";
import type { UnitPlace } from "../statements/unit-place.ts";
import type { UnitInterruption } from "./unit-interruption.ts";

/** The session that a unit belongs to. None of these may throw. */
export interface UnitOwner {
  granted(lease: Lease): void;
  refused(error: MultiPoolerError): void;
  /** The next bytes of the answer. False: the client is behind. */
  answered(bytes: Uint8Array): boolean;
  /** The backend takes more of an open unit. */
  drained(): void;
  /** The answer has an error, which comes next. */
  failing(error: PgwireError): void;
  settled(end: RequestEnd): void;
}

export interface SessionUnitOptions {
  readonly origin: string;
  /** See `Unit`. */
  readonly virtualPid: number | undefined;
  readonly placement: StatementPlacement;
  readonly carried: CarriedState;
}

/** What a unit is made of. */
export interface UnitContent {
  readonly kind: UnitKind;
  readonly label: Label | undefined;
  readonly bytes: Buffer;
  /** Those of its messages that are to be rewritten. */
  readonly messages: readonly StatementMessage[];
}

const NOTHING: Buffer = Buffer.alloc(0);
const NO_MESSAGES: readonly StatementMessage[] = [];

/**
 * What a session has at the scheduler or on a backend. A session has one at a time, so that one
 * object serves all its statements.
 */
export class SessionUnit implements Unit, SpanRequest {
  readonly answer = "spans";
  readonly origin: string;
  readonly virtualPid: number | undefined;
  readonly #owner: UnitOwner;
  readonly #placement: StatementPlacement;
  readonly #carried: CarriedState;
  #kind: UnitKind = "shareable";
  #label: Label | undefined;
  #bytes: Buffer = NOTHING;
  #messages: readonly StatementMessage[] = NO_MESSAGES;
  #isPlaced = false;
  waiting: Waiting<Unit> | undefined;
  /** What interrupts it, if something does. */
  interruption: UnitInterruption | undefined;

  constructor(options: SessionUnitOptions, owner: UnitOwner) {
    this.origin = options.origin;
    this.virtualPid = options.virtualPid;
    this.#owner = owner;
    this.#placement = options.placement;
    this.#carried = options.carried;
  }

  get kind(): UnitKind {
    return this.#kind;
  }

  get label(): Label | undefined {
    return this.#label;
  }

  get byteLength(): number {
    return this.#isPlaced ? this.#placement.byteLength : this.#bytes.length;
  }

  /** Becomes another unit. The one before has ended. */
  become({ kind, label, bytes, messages }: UnitContent): void {
    this.#kind = kind;
    this.#label = label;
    this.#bytes = bytes;
    this.#messages = messages;
    this.#isPlaced = false;
  }

  /**
   * It goes to a backend, where it finds prepared statements. To be called before it is sent. If it is
   * open, more is to follow, so that its messages are not kept.
   */
  placeOn(place: UnitPlace, isOpen: boolean): void {
    this.#placement.place(this.#bytes, this.#messages, place);
    this.#isPlaced = !isOpen;
    if (!isOpen) {
      return;
    }
    const bytes = Buffer.allocUnsafe(this.#placement.byteLength);
    this.#placement.writeTo(bytes, 0, this.#bytes);
    this.#bytes = bytes;
  }

  /** Lets go of the bytes: an idle client keeps no chunk of what it has sent. */
  forget(): void {
    this.#bytes = NOTHING;
    this.#messages = NO_MESSAGES;
    this.#label = undefined;
    this.#isPlaced = false;
  }

  writeTo(target: Buffer, start: number): number {
    if (this.#isPlaced) {
      return this.#placement.writeTo(target, start, this.#bytes);
    }
    return start + this.#bytes.copy(target, start);
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

  /** Whether the message that begins is the client's. */
  message(code: number): boolean {
    return this.#placement.reply(code);
  }

  drained(): void {
    this.#owner.drained();
  }

  reported(name: string, value: string): void {
    this.#carried.reported(name, value);
  }

  failing(error: PgwireError): void {
    this.#carried.failing();
    this.#owner.failing(error);
  }

  settle(end: RequestEnd): void {
    const ending = this.interruption?.end();
    if (ending === undefined || end.type === "lost") {
      this.#owner.settled(end);
    } else {
      // Too late: its backend is being cut.
      void ending.then(() => this.#owner.settled({ type: "lost", error: lateError() }));
    }
  }
}

function lateError(): PgwireError {
  const message = "the connection was cut, since a statement was not cancelled in time";
  return new PgwireError(PgwireErrorCode.ConnectionLost, message, { sent: true });
}
