import { encodePoolerError } from "@multipooler/query-service";
import type { Session, SessionState } from "@multipooler/query-service";
import type { MultiPoolerError } from "../error.ts";
import type { Holder } from "../serving/holders.ts";
import type { CarriedState } from "./carried-state.ts";
import { ClientOutput } from "./output/client-output.ts";
import { InputFlow } from "./input/input-flow.ts";
import { SessionChannels } from "./notifications/session-channels.ts";
import type { ChannelOwner } from "./notifications/session-channels.ts";
import type { PoolerSessionOptions } from "./pooler-session-options.ts";
import { SessionAdmission } from "./session-admission.ts";
import { SessionDeparture } from "./session-departure.ts";
import { describeSession } from "./session-description.ts";
import {
  cancelledError,
  cutError,
  protocolError,
  shutdownError,
  slowClientError,
} from "./session-refusal.ts";
import { cutterOf, sessionState } from "./session-state.ts";
import type { UnitCutter } from "./input/unit-cutter.ts";
import { UnitReplies } from "./output/unit-replies.ts";
import { UnitRun } from "./unit/unit-run.ts";
import type { UnitEnd, UnitSource } from "./unit/unit-source.ts";

/**
 * | life    | units                                          | next           |
 * | ------- | ---------------------------------------------- | -------------- |
 * | open    | run as they come                               | leaving, ended |
 * | leaving | run until the session is out of a transaction  | ended          |
 * | ended   | the one that runs is brought to its end        |                |
 */
type Life = "open" | "leaving" | "ended";

/**
 * One client's conversation. Runs one unit at a time and answers, in their order, what no backend
 * answers: errors of the pooler, and the last word.
 *
 * Between units it holds a backend only if it is pinned; see `SessionHold`. It is in the gate while
 * a unit runs or it is pinned.
 */
export class PoolerSession implements Session, Holder, UnitSource, ChannelOwner {
  readonly parameters: ReadonlyMap<string, string>;
  readonly cutter: UnitCutter;
  readonly #options: PoolerSessionOptions;
  readonly #flow: InputFlow;
  readonly #output: ClientOutput;
  readonly #run: UnitRun;
  readonly #admission: SessionAdmission;
  readonly #carried: CarriedState;
  readonly #channels: SessionChannels;
  readonly #replies: UnitReplies;
  readonly #departure: SessionDeparture;
  #life: Life = "open";
  #isPumping = false;
  /** The gate wants the backend back. */
  #cutReason: MultiPoolerError | undefined;
  #sinceMs = 0;

  constructor(options: PoolerSessionOptions) {
    const { engine, caller, client, settings, parameters } = options;
    const { limits, gate, registry, holdsBegin, commands, observe } = engine;
    const tell = (message: Uint8Array): void => void this.answered(message);
    const onDiscarded = (): void => this.#channels.discard();
    const state = sessionState({ ...options, tell, onDiscarded, session: this });
    const { hold, statements } = state;
    this.#options = options;
    this.parameters = parameters;
    this.#carried = state.carried;
    this.cutter = cutterOf(state, engine, { settings, onGroupDue: () => this.goOn() });
    this.#flow = new InputFlow({ client, input: this.cutter.input, maxBytes: limits.inputBytes });
    this.#output = new ClientOutput({ client, maxHeldBytes: limits.heldBytes });
    const { origin, virtualPid } = caller;
    const run = new UnitRun({ engine, ...state, settings, source: this, origin, virtualPid });
    this.#run = run;
    this.#channels = new SessionChannels({ engine, run, output: this.#output, owner: this });
    this.#admission = new SessionAdmission({ gate, hold, holder: this });
    const own = { output: this.#output, cutter: this.cutter, hold, statements, settings };
    this.#replies = new UnitReplies({ ...own, registry, holdsBegin, commands, observe });
    this.#departure = new SessionDeparture({ hold, onGone: () => this.#onGone() });
  }

  write(messages: Uint8Array): boolean {
    if (this.#life === "ended") {
      return true;
    }
    this.cutter.input.push(messages);
    this.goOn();
    return this.#flow.takesMore();
  }

  drained(): void {
    this.#output.drained();
    if (!this.#output.isBehind) {
      this.#run.resume();
      this.goOn();
    }
  }

  cancel(): void {
    if (this.#run.withdraw()) {
      this.reject(cancelledError());
      this.goOn();
    } else {
      this.#run.cancel();
    }
  }

  cut(reason: MultiPoolerError): void {
    this.#cutReason ??= reason;
    if (this.#run.withdraw()) {
      this.reject(reason);
    } else {
      this.#run.force();
    }
    this.goOn();
  }

  async end(when: "now" | "boundary"): Promise<void> {
    if (when === "now") {
      this.#endNow(undefined);
    } else if (this.#life === "open") {
      this.#life = "leaving";
      if (this.#run.withdraw()) {
        this.#leaveGate();
      }
      this.goOn();
    }
    await this.#departure.gone;
  }

  /** Judges again what pins the backend, which nothing may do any more. */
  review(): void {
    const { hold, phase } = this.#run;
    if (this.#life !== "ended" && phase === "none") {
      hold.review(this.#options.engine.classifier);
      if (this.#run.giveBack()) {
        this.#leaveGate();
      } else {
        this.#run.ask(() => this.#onAsked());
      }
    }
  }

  describe(): SessionState {
    const { phase, hold } = this.#run;
    return this.#life === "ended" ? { type: "ended" } : describeSession(phase, hold, this.#sinceMs);
  }

  answered(bytes: Uint8Array): boolean {
    const isKept = this.#replies.isPostponed || this.#channels.takes(bytes);
    return isKept || this.tell(this.#channels.filter(bytes));
  }

  tell(bytes: Uint8Array): boolean {
    const takesMore = this.#output.write(bytes);
    if (!takesMore && this.#output.isOverfull) {
      this.#options.engine.classifier.noteLargeResult(this.cutter.text);
      this.fail(slowClientError(this.#options.engine.limits.heldBytes));
      return true;
    }
    return takesMore;
  }

  unasked(message: Uint8Array): void {
    if (!this.#carried.unasked(message)) {
      this.answered(message);
    }
  }

  ended(end: UnitEnd): void {
    if (end.type === "ready") {
      this.#onReady();
    } else if (end.type === "lost" && end.isFatal) {
      this.#leaveGate();
      this.fail(end.error);
    } else {
      this.reject(end.error);
    }
    if (this.#life === "ended") {
      this.#leave();
    } else {
      this.goOn();
    }
  }

  /** Goes on for as long as something can be done at once. */
  goOn(): void {
    if (this.#isPumping) {
      return;
    }
    this.#isPumping = true;
    while (this.#step()) {
      // Until nothing is left to do at once.
    }
    this.#isPumping = false;
    this.#flow.relieve();
  }

  /** Whether there may be more to do. */
  #step(): boolean {
    if (this.#life === "ended") {
      return false;
    }
    switch (this.#run.phase) {
      case "queued":
      case "asking":
        return false;
      case "running":
        this.#feed();
        return false;
      case "none":
        return this.#stepBetweenUnits();
    }
  }

  #stepBetweenUnits(): boolean {
    const { backendStatus, lease } = this.#run.hold;
    if (this.#cutReason !== undefined && lease !== undefined) {
      this.fail(cutError(this.#cutReason, backendStatus !== "I"));
      return false;
    }
    if (this.#life === "leaving" && backendStatus === "I") {
      this.fail(shutdownError());
      return false;
    }
    return this.#channels.settle() && !this.#output.isBehind && this.#next();
  }

  #next(): boolean {
    const cut = this.cutter.next();
    switch (cut) {
      case "none":
        return false;
      case "unit":
        this.#begin();
        return true;
      case "skipped":
        this.#replies.ready();
        return true;
      case "terminate":
      case "broken":
        this.#endBy(cut);
        return false;
    }
  }

  #begin(): void {
    const { facts, bytes } = this.cutter;
    this.#sinceMs = this.#options.engine.clock.now();
    this.#channels.prepare(facts);
    // The end of a transaction is refused to nobody.
    const hasEnded = this.#replies.endTransaction();
    const refusal = hasEnded ? undefined : this.#admission.enter(facts);
    if (refusal !== undefined && this.#run.hold.backendStatus === "T") {
      this.#run.start(this.#replies.postpone(refusal), refusal);
    } else if (refusal !== undefined) {
      this.reject(this.#replies.noteRefused(refusal));
    } else if (hasEnded || this.#replies.replyLocally()) {
      this.#leaveGate();
    } else {
      this.#run.start(bytes);
    }
  }

  /** The client says that it leaves, or what no client may say. */
  #endBy(end: "terminate" | "broken"): void {
    this.#endNow(end === "broken" ? protocolError(this.cutter.problem) : undefined);
  }

  #feed(): void {
    const step = this.#run.feedMore();
    if (step === "terminate" || step === "broken") {
      this.#endBy(step);
      return;
    }
    this.#channels.prepareMore(this.cutter.facts);
    this.fail(this.#admission.refusal(this.cutter.facts));
  }

  #onReady(): void {
    this.#replies.complete();
    this.cutter.forget();
    this.#channels.ran();
    if (this.#run.hold.lease === undefined) {
      this.#leaveGate();
    } else {
      this.fail(this.#admission.reserve());
    }
  }

  /** Answers the unit that was begun with an error. */
  reject(error: MultiPoolerError): void {
    this.#channels.refused();
    this.#replies.reject(error);
    if (this.#run.hold.lease === undefined) {
      this.#leaveGate();
    }
  }

  /** Ends the session with a last word, if there is an error to tell. */
  fail(error: MultiPoolerError | undefined): void {
    if (error !== undefined) {
      this.#endNow(error);
    }
  }

  #endNow(reason: MultiPoolerError | undefined): void {
    if (this.#life === "ended") {
      return;
    }
    this.#life = "ended";
    this.#channels.end();
    this.#output.close(reason === undefined ? undefined : encodePoolerError(reason, "FATAL"));
    this.cutter.end();
    this.#options.client.ended(reason);
    this.#run.withdraw();
    const { phase } = this.#run;
    if (phase === "running") {
      this.#run.abandon();
    } else if (phase !== "asking") {
      // The end of an inquiry ends the session.
      this.#leave();
    }
  }

  #onAsked(): void {
    if (this.#run.hold.lease === undefined) {
      this.#leaveGate();
    }
    if (this.#life === "ended") {
      this.#leave();
    } else {
      this.goOn();
    }
  }

  #leave(): void {
    this.cutter.forget();
    this.#departure.begin();
  }

  #onGone(): void {
    this.#leaveGate();
    this.#options.onGone(this);
  }

  #leaveGate(): void {
    this.#cutReason = undefined;
    this.#admission.leave();
  }
}
