import type { MultiPoolerError } from "../src/error.ts";
import type { Label } from "../src/pool/label.ts";
import type { Lease } from "../src/pool/lease.ts";
import type { Unit, UnitKind } from "../src/pool/unit.ts";

/** What became of a unit, as its client sees it. */
export type UnitOutcome =
  | { readonly type: "waiting" }
  | { readonly type: "held"; readonly lease: Lease }
  | { readonly type: "given back" }
  | { readonly type: "withdrawn" }
  | { readonly type: "refused"; readonly code: string };

/** A unit that keeps what it is granted until the test gives it back. */
export class TestUnit implements Unit {
  readonly id: number;
  readonly origin: string;
  readonly kind: UnitKind;
  readonly label: Label | undefined;
  readonly reserves: boolean;
  readonly byteLength = 0;
  /** How often it was granted or refused: once at most. */
  answers = 0;
  outcome: UnitOutcome = { type: "waiting" };
  readonly #onGranted: (unit: TestUnit) => void;

  constructor(options: {
    readonly id: number;
    readonly origin: string;
    readonly kind: UnitKind;
    readonly label?: Label | undefined;
    readonly reserves?: boolean | undefined;
    readonly onGranted?: (unit: TestUnit) => void;
  }) {
    this.id = options.id;
    this.origin = options.origin;
    this.kind = options.kind;
    this.label = options.label;
    this.reserves = options.reserves ?? false;
    this.#onGranted = options.onGranted ?? (() => undefined);
  }

  granted(lease: Lease): void {
    this.answers += 1;
    this.outcome = { type: "held", lease };
    this.#onGranted(this);
  }

  refused({ code }: MultiPoolerError): void {
    this.answers += 1;
    this.outcome = { type: "refused", code };
  }
}
