import type { TransactionStatus } from "@multipooler/pgwire";
import type { PinReason } from "@multipooler/query-service";
import { Taint } from "../classification/taint.ts";
import type { TaintSet } from "../classification/taint.ts";
import type { Lease } from "../pool/lease.ts";
import { isWritable } from "../writable-session.ts";
import type { SettingsReset } from "./settings-reset.ts";
import type { StartupSettings } from "./startup-settings.ts";
import type { UnitFacts } from "./unit-facts.ts";

/** Client encodings in which a byte of ASCII may be part of another character. */
const UNREADABLE_ENCODINGS = new Set([
  "SJIS",
  "SHIFT_JIS_2004",
  "BIG5",
  "GBK",
  "UHC",
  "GB18030",
  "JOHAB",
]);

/** The backend that a session has, and what keeps it from giving it back. */
export class SessionHold {
  #lease: Lease | undefined;
  /** As of the last ReadyForQuery from that backend. */
  transaction: TransactionStatus = "I";
  #taint: TaintSet = Taint.None;
  #settings: StartupSettings | undefined;
  #hasNamedStatement = false;
  /** The unnamed statement of the backend is this session's. */
  #hasStatement = false;

  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** Whether transactions on the backend that is held may write. */
  get isWritable(): boolean {
    return this.#lease !== undefined && isWritable(this.#lease.backend);
  }

  get hasStatement(): boolean {
    return this.#hasStatement;
  }

  /** Why the backend cannot be given back between two units; `undefined`: it can. */
  get reason(): PinReason | undefined {
    if (this.#lease === undefined) {
      return undefined;
    }
    if (this.transaction !== "I") {
      return "Transaction";
    }
    if (this.#taint !== Taint.None) {
      return "SessionState";
    }
    return this.#hasNamedStatement ? "PreparedStatement" : undefined;
  }

  take(lease: Lease): void {
    this.#lease = lease;
  }

  /** Takes a backend that has the settings of this session's client. */
  adopt(lease: Lease, settings: StartupSettings): void {
    this.#lease = lease;
    this.#settings = settings;
    this.#taint = Taint.Settings;
    this.#watchEncoding();
  }

  /** A unit has run on the backend, which is this session's alone. */
  ran(
    facts: UnitFacts,
    { settingsReported, hasSucceeded }: { settingsReported: boolean; hasSucceeded: boolean },
  ): void {
    this.#taint |= facts.taint;
    this.#hasNamedStatement ||= facts.pinsStatement;
    // An error may have skipped the Parse: then the statement is still another client's.
    this.#hasStatement ||= facts.parses && hasSucceeded;
    if (settingsReported) {
      this.#taint |= Taint.Settings;
      this.#watchEncoding();
    }
  }

  /** Whether a unit may have taken back what holds the backend. */
  mayLose({ deallocates, taint }: UnitFacts): boolean {
    return (
      deallocates ||
      (this.#settings !== undefined && this.transaction === "I" && (taint & Taint.Settings) !== 0)
    );
  }

  /** DISCARD ALL takes away all but what nothing takes away. The start-up settings are to come back. */
  takenBack(reset: SettingsReset | undefined): void {
    if (reset === undefined) {
      return;
    }
    if (reset.type === "discardAll") {
      this.#lease?.statements.clear();
      this.#taint &= Taint.Lasting;
      this.#hasNamedStatement = false;
      this.#hasStatement = false;
    }
    if (this.#settings?.takenBack(reset) === true) {
      this.#taint |= Taint.Settings;
      // Restoring them makes another one of it.
      this.#hasStatement = false;
    }
  }

  /**
   * Puts what restores the start-up settings before the next request, if some were lost. Returns what
   * the client is to be told of that.
   */
  restore(): Uint8Array | undefined {
    return this.#lease === undefined ? undefined : this.#settings?.restoreOn(this.#lease.backend);
  }

  /** Gives the backend back, and says what is left in it. */
  release(): Promise<void> | undefined {
    const lease = this.#lease;
    const isStateful = this.#hasNamedStatement || this.transaction !== "I";
    const left = this.#taint | (isStateful ? Taint.State : Taint.None);
    if (left !== Taint.None) {
      lease?.taint(left);
    }
    this.#reset();
    return lease?.release();
  }

  /** Ends the backend. */
  discard(reason: unknown): void {
    const lease = this.#lease;
    this.#reset();
    lease?.discard(reason);
  }

  /** In an encoding whose characters can hold quotes, texts are not what they look like. */
  #watchEncoding(): void {
    const encoding = this.#lease?.backend.parameters.get("client_encoding") ?? "";
    if (UNREADABLE_ENCODINGS.has(encoding)) {
      this.#taint |= Taint.Unknown | Taint.Lasting;
    }
  }

  #reset(): void {
    this.#lease = undefined;
    this.#settings = undefined;
    this.transaction = "I";
    this.#taint = Taint.None;
    this.#hasNamedStatement = false;
    this.#hasStatement = false;
  }
}
