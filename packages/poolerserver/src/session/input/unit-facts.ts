import type { Classification } from "../../classification/classification.ts";
import { Taint } from "../../classification/taint.ts";
import type { TaintSet } from "../../classification/taint.ts";
import type { MultiPoolerError } from "../../error.ts";
import type { UnitKind } from "../../pool/unit.ts";
import { BEHIND_END, eitherEscape } from "../../read-only-guard.ts";
import type { ReadOnlyEscapes } from "../../read-only-guard.ts";
import { decidesMeaning } from "../../statements/parse-conditions.ts";
import { wider } from "../../statements/statement-classification.ts";
import type { ChannelCommand } from "../notifications/channel-command.ts";
import type { SettingChanges } from "../settings/setting-changes.ts";
import type { ClientStatement } from "../statements/client-statement.ts";
import { emptyList } from "../emptied-list.ts";

/** Its function is named by a number, and may be any. */
const UNKNOWN_CALL: ReadOnlyEscapes = {
  administration: "a function call message",
  writing: undefined,
};
const BEHIND_TRANSACTION: ReadOnlyEscapes = { administration: undefined, writing: BEHIND_END };

/** A text that may leave something, and what of that the pooler cannot carry along. */
export interface TaintingText {
  readonly text: string;
  readonly mask: TaintSet;
  readonly classification: Classification;
}

/** A statement that SQL prepares, once it has succeeded. */
export interface PreparedBySql {
  readonly statement: ClientStatement;
  /** Which execution of the unit does so. */
  readonly execution: number;
}

/** A DISCARD ALL of a unit. */
export interface DiscardAll {
  /** Which execution of the unit it is. */
  readonly execution: number;
  /** The start-up settings are put back behind it, in the same unit. */
  readonly isRestored: boolean;
}

/**
 * What a unit of a session needs and leaves, collected message by message. One object serves all
 * units of a session.
 */
export class UnitFacts {
  #kind: UnitKind = "shareable";
  #taint: TaintSet = Taint.None;
  /** It is in the extended protocol: an error skips to its Sync. */
  isExtended = false;
  /** Its Sync has not come: more messages are to follow. */
  isOpen = false;
  /** A Query or a FunctionCall stands where its Sync would, unless an error comes before that. */
  endsInCall = false;
  /** Messages of the extended protocol in it that are answered. */
  replies = 0;
  /** It may put the protocol in COPY mode. */
  copies = false;
  opensTransaction = false;
  endsTransaction = false;
  /** May change the catalog. */
  ddl = false;
  /** Does more than to parse and to close. */
  needsBackend = false;
  /** Parses the unnamed statement. */
  parses = false;
  /** Ends with a Parse of the unnamed statement that it did not Bind: the client means to, later. */
  leavesStatement = false;
  /** The unnamed statement that it parses is for the backend only that gets it. */
  isUnnamedOpaque = false;
  escapes: ReadOnlyEscapes | undefined;
  /** Why it may not run, whatever the server would say. */
  refusal: MultiPoolerError | undefined;
  /** Texts that it runs so far: Execute messages, and a Query. */
  executions = 0;
  discardsAll: DiscardAll | undefined;
  deallocatesAllAt: number | undefined;
  /** What it executes to change the channels of the session. */
  readonly channels: ChannelCommand[] = [];
  /** The text that was executed last does nothing but change channels. */
  hasChannelsAlone = false;
  /** It may change channels in a way that is not understood. */
  hasUnreadChannels = false;
  /** The client waits for the answer to what changes channels, before its Sync. */
  hasFlushedChannels = false;
  settings: SettingChanges | undefined;
  /** It has a text that changes, for its transaction, what others mean. */
  setsLocally = false;
  readonly preparedBySql: PreparedBySql[] = [];
  /** The texts behind {@link taint}, unless it is not from texts alone. */
  readonly taintingTexts: TaintingText[] = [];
  #hasOtherTaint = false;

  get kind(): UnitKind {
    return this.isOpen || this.#leavesOpaque ? "exclusive" : this.#kind;
  }

  get taint(): TaintSet {
    return this.#leavesOpaque ? this.#taint | Taint.State : this.#taint;
  }

  /** Whether texts may mean something else behind it, or within it, than the label says. */
  get changesMeaning(): boolean {
    const { settings } = this;
    const isSet =
      settings !== undefined &&
      (settings.resetsAll || [...settings.names.keys()].some(decidesMeaning));
    return isSet || this.setsLocally || (this.taint & Taint.Settings) !== 0;
  }

  /** Whether {@link taint} is not from texts alone. */
  get hasOtherTaint(): boolean {
    return this.#hasOtherTaint || this.#leavesOpaque;
  }

  /** Whether the unnamed statement that it parses is to be found by the next unit. */
  get leavesUnnamed(): boolean {
    return this.leavesStatement && !this.isOpen && !this.isUnnamedOpaque;
  }

  get #leavesOpaque(): boolean {
    return this.leavesStatement && this.isUnnamedOpaque;
  }

  /** Whether the session is expected to hold its backend afterwards. */
  get reserves(): boolean {
    return this.opensTransaction || this.taint !== Taint.None;
  }

  reset(): void {
    this.#kind = "shareable";
    this.#taint = Taint.None;
    this.isExtended = false;
    this.isOpen = false;
    this.endsInCall = false;
    this.replies = 0;
    this.executions = 0;
    this.copies = false;
    this.opensTransaction = false;
    this.endsTransaction = false;
    this.ddl = false;
    this.needsBackend = false;
    this.parses = false;
    this.leavesStatement = false;
    this.isUnnamedOpaque = false;
    this.escapes = undefined;
    this.refusal = undefined;
    this.discardsAll = undefined;
    this.deallocatesAllAt = undefined;
    this.hasChannelsAlone = false;
    this.hasUnreadChannels = false;
    this.hasFlushedChannels = false;
    this.settings = undefined;
    this.setsLocally = false;
    emptyList(this.preparedBySql, this.taintingTexts);
    emptyList(this.channels);
    this.#hasOtherTaint = false;
  }

  /** A text that the unit runs. `mask`: what of its taint the pooler cannot carry along. */
  addText(text: string, classification: Classification, mask: TaintSet = ~Taint.None): void {
    this.addTaint(text, classification, mask);
    this.#addClassification(classification);
  }

  /** What a text leaves that the unit runs as a part of another one. */
  addTaint(text: string, classification: Classification, mask: TaintSet): void {
    const taint = classification.taint & mask;
    if (taint !== Taint.None) {
      this.#taint |= taint;
      this.taintingTexts.push({ text, mask, classification });
    }
  }

  #addClassification(text: Classification): void {
    this.needsBackend = true;
    this.#kind = wider(this.#kind, text.sharing);
    this.copies ||= text.copy !== undefined;
    this.opensTransaction ||= text.opensTransaction;
    if (this.endsTransaction) {
      this.escapes = eitherEscape(this.escapes, BEHIND_TRANSACTION);
    }
    this.endsTransaction ||= text.endsTransaction;
    this.setsLocally ||= text.setsLocally;
    this.ddl ||= text.ddl;
    this.escapes = eitherEscape(this.escapes, text.escapes);
  }

  /** A call whose function is not known. */
  addUnknownCall(): void {
    this.needsBackend = true;
    this.#kind = "exclusive";
    this.#taint |= Taint.Unknown;
    this.#hasOtherTaint = true;
    this.escapes = eitherEscape(this.escapes, UNKNOWN_CALL);
  }

  /** What only the backend of this unit knows afterwards. */
  addState(): void {
    this.needsBackend = true;
    this.#kind = "exclusive";
    this.#taint |= Taint.State;
    this.#hasOtherTaint = true;
  }

  addSettings(changes: SettingChanges): void {
    const former = this.settings;
    this.settings =
      former === undefined
        ? changes
        : {
            names: new Map([...(changes.resetsAll ? [] : former.names), ...changes.names]),
            resetsAll: former.resetsAll || changes.resetsAll,
          };
  }

  /** A Flush comes behind what was read so far. */
  flush(): void {
    this.hasFlushedChannels ||= this.changesChannels;
  }

  get changesChannels(): boolean {
    return this.channels.length > 0 || this.hasUnreadChannels;
  }

  refuse(error: MultiPoolerError | undefined): void {
    this.refusal ??= error;
  }
}
