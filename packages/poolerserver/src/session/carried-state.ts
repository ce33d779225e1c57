import type { AnswerEnd, PgwireError, RequestEnd, TransactionStatus } from "@multipooler/pgwire";
import { decodeParameterStatus } from "@multipooler/query-service";
import type { StatementRegistry } from "../statements/statement-registry.ts";
import { decidesMeaning } from "../statements/parse-conditions.ts";
import { NO_SETTINGS, isUtf8 } from "../pool/label-settings.ts";
import { Taint } from "../classification/taint.ts";
import type { SessionHold } from "./session-hold.ts";
import type { ClientParameters } from "./settings/client-parameters.ts";
import type { SessionSettings } from "./settings/session-settings.ts";
import { ASKABLE, RemainsInquiry } from "./remains-inquiry.ts";
import { APPLICATION_NAME } from "./settings/parameter-views.ts";
import { SettingsInquiry } from "./settings/settings-inquiry.ts";
import type { SettingValues } from "./settings/settings-inquiry.ts";
import type { ClientStatement } from "./statements/client-statement.ts";
import type { ClientStatements } from "./statements/client-statements.ts";
import { isAscii } from "./statements/sql-tokens.ts";
import type { StatementPlacement } from "./statements/statement-placement.ts";
import type { SessionClassifier } from "./session-engine.ts";
import type { UnitFacts } from "./input/unit-facts.ts";

export interface CarriedStateOptions {
  readonly registry: StatementRegistry;
  readonly settings: SessionSettings;
  readonly statements: ClientStatements;
  readonly parameters: ClientParameters;
  readonly placement: StatementPlacement;
  readonly hold: SessionHold;
  readonly classifier: SessionClassifier;
  /** DISCARD ALL has run. */
  readonly onDiscarded: () => void;
  /** Tells the client something that is not part of an answer. */
  readonly tell: (message: Uint8Array) => void;
}

const PARAMETER_STATUS = 0x53;

/**
 * What a session carries from backend to backend, its settings and its prepared statements, and what
 * its units do to that. Everything else pins it: see `SessionHold`.
 */
export class CarriedState {
  readonly #options: CarriedStateOptions;
  /** Settings that were reported and that no text has named, with what the client was told before. */
  readonly #unseen = new Map<string, string | undefined>();
  #began: TransactionStatus = "I";
  /** Since it was last asked what is left of these, the session has done something to them. */
  #hasTouchedAskable = false;
  /** DDL of a transaction that has not ended. */
  #hasDdl = false;
  /** Of the unit that runs. */
  #facts: UnitFacts | undefined;
  #hasFailed = false;

  constructor(options: CarriedStateOptions) {
    this.#options = options;
  }

  /** A unit is sent, or more of it. */
  begin(facts: UnitFacts): void {
    this.#began = this.#options.hold.transaction;
    this.#facts = facts;
    this.#hasFailed = false;
    this.#noteSettings(facts);
    if (facts.ddl) {
      this.#hasDdl = true;
      this.#options.classifier.noteDdl();
    }
  }

  /** An error comes in the answer: what was to put start-up settings back may be taken back. */
  failing(): void {
    this.#hasFailed = true;
  }

  /** A message came between two units. Returns whether it was one for this. */
  unasked(message: Uint8Array): boolean {
    if (message[0] !== PARAMETER_STATUS) {
      return false;
    }
    const { name, value } = decodeParameterStatus(message);
    this.reported(name, value);
    return true;
  }

  /** The server reports a setting during a unit. */
  reported(name: string, value: string): void {
    const { parameters, settings, hold, tell } = this.#options;
    const before = parameters.valueOf(name);
    const discardsAll = this.#facts?.discardsAll;
    const isDiscarded = discardsAll !== undefined && (this.#hasFailed || !discardsAll.isRestored);
    const message = parameters.reported(name, value, isDiscarded);
    hold.watchEncoding();
    if (message === undefined) {
      return;
    }
    tell(message);
    const setting = name.toLowerCase();
    if (!settings.pending.includes(setting) && !this.#unseen.has(name)) {
      this.#unseen.set(name, before);
      this.#meansOther(setting);
    }
  }

  /** What was parsed in the unit may mean something else. */
  #meansOther(setting: string): void {
    const statements = this.#options.hold.lease?.statements;
    if (statements !== undefined && decidesMeaning(setting)) {
      statements.doubt();
    }
  }

  /** A unit has ended, and is known to have left this in its backend. */
  ran(facts: UnitFacts, { error }: AnswerEnd): void {
    const { hold, settings, statements, placement, classifier } = this.#options;
    const hasSucceeded = error === undefined;
    hold.ran(facts, classifier.changes);
    // The catalog may have been read since the unit was judged, and not be read again for long.
    hold.review(classifier);
    this.#hasTouchedAskable ||= (facts.taint & ASKABLE) !== 0;
    this.#noteDdl(facts);
    this.#noteSettings(facts);
    if (!hasSucceeded && this.#isUndone(facts)) {
      settings.forget();
    }
    const hasDiscarded = this.#applyExecutions(facts, hasSucceeded);
    // What the backend is to close may have been made behind a DISCARD ALL.
    placement.settle();
    statements.settle();
    if (this.#unseen.size > 0) {
      this.#dropUnchanged();
    }
    this.#rejoinUnlessSet();
    const isElsewhere = hasDiscarded && facts.discardsAll?.isRestored === false;
    // What is reported is noted under settings that are known to be those of the session.
    const isKnown = !settings.isPending && this.#unseen.size === 0;
    if (hasSucceeded && isKnown && !isElsewhere) {
      this.#compare();
    }
  }

  /**
   * Asks the backend what has to be known before another one can serve the session. Returns whether
   * there is anything; then `onDone` is called, with the error if the backend is lost.
   */
  ask(onDone: (error: PgwireError | undefined) => void): boolean {
    const { hold, settings } = this.#options;
    if (hold.transaction !== "I" || hold.lease === undefined) {
      return false;
    }
    const unseen = new Set([...this.#unseen.keys()].map((name) => name.toLowerCase()));
    for (const name of unseen) {
      settings.noteUnseen(name);
    }
    if (!settings.isPending) {
      return this.#askForRemains(onDone);
    }
    const onSettled = (values: SettingValues | undefined, end: RequestEnd): void => {
      if (end.type === "lost") {
        onDone(end.error);
        return;
      }
      this.#learned(values);
      // It may have been read meanwhile.
      hold.review(this.#options.classifier);
      if (!this.#askForRemains(onDone)) {
        onDone(undefined);
      }
    };
    const inquiry = new SettingsInquiry({ names: settings.pending, unseen, onSettled });
    hold.lease.backend.send(inquiry.request);
    return true;
  }

  /** Whether the session still has what it would be pinned for is for the server to say. */
  #askForRemains(onDone: (error: PgwireError | undefined) => void): boolean {
    const { hold } = this.#options;
    const { askable, lease } = hold;
    if (!this.#hasTouchedAskable || askable === Taint.None || lease === undefined) {
      return false;
    }
    this.#hasTouchedAskable = false;
    const inquiry = new RemainsInquiry(askable, (hasNone, end) => {
      hold.asked(hasNone);
      hold.review(this.#options.classifier);
      onDone(end.type === "lost" ? end.error : undefined);
    });
    lease.backend.send(inquiry.request);
    return true;
  }

  /** The server has answered, or not. */
  #learned(values: SettingValues | undefined): void {
    const { hold, settings } = this.#options;
    if (values === undefined || !this.#isReadable(values)) {
      settings.forget();
      hold.addTaint(Taint.Settings);
    } else {
      if ([...this.#unseen.keys()].some((name) => values.has(name.toLowerCase()))) {
        // What changed one setting out of sight may have changed others.
        hold.addTaint(Taint.Settings);
      }
      settings.settle(values);
      hold.lease?.noteSettings(settings.current);
      this.#compare();
      this.#learnedName(values.get(APPLICATION_NAME));
    }
    this.#unseen.clear();
  }

  /** The server tells values in the encoding of the client. */
  #isReadable(values: SettingValues): boolean {
    const encoding = this.#options.hold.lease?.backend.parameters.get("client_encoding");
    return (
      (encoding !== undefined && isUtf8(encoding)) ||
      [...values.values()].every((value) => value === undefined || isAscii(value))
    );
  }

  /** A backend that had the name already did not report it. */
  #learnedName(name: string | undefined): void {
    const { parameters, tell } = this.#options;
    const message =
      name === undefined ? undefined : parameters.reported(APPLICATION_NAME, name, false);
    if (message !== undefined) {
      tell(message);
    }
  }

  /** What a transaction has set is over, or will be in the label. */
  #rejoinUnlessSet(): void {
    const { hold } = this.#options;
    if (hold.transaction === "I" && !hold.hasOtherSettings) {
      hold.lease?.statements.rejoin();
    } else if (hold.transaction !== "I" && [...this.#unseen.keys()].some(decidesMeaning)) {
      hold.lease?.statements.setApart();
    }
  }

  /** A backend that others share is given back: what was set there is not this session's. */
  letGo(): void {
    if (this.#unseen.size > 0 || this.#options.settings.isPending) {
      this.#options.hold.addTaint(Taint.Settings);
    }
    this.forget();
  }

  /** A unit has not run to its end. */
  failed(): void {
    this.#options.placement.settle();
    this.#options.statements.settle();
    this.forget();
  }

  /** What was being changed is of no account any more. */
  forget(): void {
    // Clearing a map makes another table for it, also when it is empty.
    if (this.#unseen.size > 0) {
      this.#unseen.clear();
    }
    this.#options.settings.forget();
  }

  /** DDL shows when its transaction has ended. */
  #noteDdl({ ddl }: UnitFacts): void {
    this.#hasDdl ||= ddl;
    if (this.#hasDdl && this.#options.hold.transaction === "I") {
      this.#hasDdl = false;
      this.#options.classifier.noteDdl();
    }
  }

  #noteSettings({ settings }: UnitFacts): void {
    if (settings !== undefined) {
      this.#options.settings.note(settings);
    }
  }

  /**
   * What texts that have run to their end have done outside of any transaction. An error behind them
   * does not take it back. Returns whether everything was discarded.
   */
  #applyExecutions(facts: UnitFacts, hasSucceeded: boolean): boolean {
    const { discardsAll, deallocatesAllAt, preparedBySql } = facts;
    const { hold, statements } = this.#options;
    const hasExecuted = (execution: number | undefined): boolean =>
      execution !== undefined && statements.hasExecuted(execution);
    const hasDiscarded = discardsAll !== undefined && hasExecuted(discardsAll.execution);
    if (hasDiscarded) {
      this.#discarded(facts, { isRestored: discardsAll.isRestored && hasSucceeded });
    }
    if (hasExecuted(deallocatesAllAt)) {
      hold.lease?.statements.clear();
    }
    for (const { statement, execution } of preparedBySql) {
      if (hasExecuted(execution)) {
        this.#noteHeld(statement);
      }
    }
    return hasDiscarded;
  }

  /** @param isRestored the backend has the start-up settings since */
  #discarded(
    { discardsAll, executions }: UnitFacts,
    { isRestored }: { readonly isRestored: boolean },
  ): void {
    const { hold, settings, parameters, tell } = this.#options;
    const isLast = discardsAll?.execution === executions - 1;
    if (isLast || !isRestored) {
      settings.reset();
    }
    hold.discarded(isRestored ? settings.startup : NO_SETTINGS);
    if (!isLast && !isRestored) {
      // What came behind it may have been committed or not.
      hold.addTaint(Taint.Settings);
    }
    this.#options.onDiscarded();
    this.#unseen.clear();
    const message = parameters.restored(settings.current.values);
    if (message !== undefined) {
      tell(message);
    }
  }

  /** The backend has what SQL has prepared. */
  #noteHeld(statement: ClientStatement): void {
    const { registry, settings, hold } = this.#options;
    const registered = statement.registeredIn(registry, settings.conditions);
    const { generation } = registered;
    hold.lease?.statements.add(registered, { generation, ddlCount: registry.ddlCount });
  }

  /** Whether the error of a unit has taken back all that it has set. */
  #isUndone({ opensTransaction, endsTransaction }: UnitFacts): boolean {
    return this.#began === "E" || (this.#began === "I" && !opensTransaction && !endsTransaction);
  }

  /** What was set for a transaction only is as it was. */
  #dropUnchanged(): void {
    const { parameters } = this.#options;
    for (const [name, before] of this.#unseen) {
      if (parameters.valueOf(name) === before) {
        this.#unseen.delete(name);
      }
    }
  }

  #compare(): void {
    const { hold, parameters, tell } = this.#options;
    const report = hold.lease?.backend.parameters;
    const message = report === undefined ? undefined : parameters.compare(report);
    if (message !== undefined) {
      tell(message);
    }
  }
}
