import { encodeReadyForQuery } from "@multipooler/pgwire";
import { PoolerErrorCode, encodeCommandTag } from "@multipooler/query-service";
import type { NotificationSink, PoolerError, Subscription } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic, poolerError } from "../../error.ts";
import { KeptNotifications } from "../../notifications/kept-notifications.ts";
import { behindError } from "../../notifications/subscriber.ts";
import type { ClientOutput } from "../output/client-output.ts";
import type { UnitFacts } from "../input/unit-facts.ts";
import type { UnitRun } from "../unit/unit-run.ts";
import { changeOf } from "./channel-command.ts";
import type { ChannelCommand } from "./channel-command.ts";
import { HeldAnswer } from "./held-answer.ts";

/** Where a session listens without a backend of its own. */
export interface ChannelSource {
  subscribe(sink: NotificationSink): Subscription;
  /** What may wait for one session. */
  readonly maxNotificationBytes: number;
}

/** The session that listens. None of these may throw. */
export interface ChannelOwner {
  /** Gives the client bytes. */
  answered(bytes: Uint8Array): void;
  /** Answers the unit that has run with an error. */
  reject(error: MultiPoolerError): void;
  /** It cannot go on. */
  fail(error: MultiPoolerError): void;
  /** The unit that has run was answered. */
  goOn(): void;
}

export interface SessionChannelsOptions {
  readonly engine: {
    readonly channels: ChannelSource;
    /** A longer answer than `heldBytes` is none to LISTEN. */
    readonly limits: { readonly heldBytes: number };
  };
  readonly run: Pick<UnitRun, "phase" | "hold">;
  readonly output: Pick<ClientOutput, "isBehind">;
  readonly owner: ChannelOwner;
}

/**
 * | state     | meaning                                                                          |
 * | --------- | -------------------------------------------------------------------------------- |
 * | none      | no LISTEN or UNLISTEN is under way                                               |
 * | running   | one runs on a backend, and its answer is held                                    |
 * | repeated  | a LISTEN to what the pooler listens to, which no backend is to run               |
 * | changing  | PostgreSQL has taken it; the answer waits until the channels have changed        |
 * | ended     | the session has                                                                  |
 */
type State =
  | { readonly type: "none" }
  | {
      readonly type: "running";
      readonly commands: readonly ChannelCommand[];
      readonly answer: HeldAnswer;
    }
  | { readonly type: "repeated"; readonly commands: readonly ChannelCommand[] }
  | { readonly type: "changing" }
  | { readonly type: "ended" };

const NONE: State = { type: "none" };

/**
 * The channels of a session, which do not bind it to a backend: the pooler listens for it. LISTEN and
 * UNLISTEN outside a transaction run on any backend, so that PostgreSQL judges them; the channels
 * change before the client gets the answer, and the backend is cleaned.
 *
 * In a transaction, and among other statements, LISTEN runs on a backend that the session keeps: only
 * PostgreSQL knows whether it takes effect, and which notifications of its own the client gets. A
 * backend that is kept for something else must not listen to what the pooler listens to.
 */
export class SessionChannels implements NotificationSink {
  readonly #options: SessionChannelsOptions;
  readonly #kept: KeptNotifications;
  /** Those that the pooler listens to for the session. */
  #channels: Set<string> | undefined;
  #subscription: Subscription | undefined;
  #state: State = NONE;
  /** The unit found no backend that the session keeps. */
  #isFree = false;
  /** How many commands of the unit were judged. */
  #judged = 0;

  constructor(options: SessionChannelsOptions) {
    this.#options = options;
    this.#kept = new KeptNotifications(options.engine.channels.maxNotificationBytes);
  }

  /** Says in the facts of a unit how what it does to channels is done. To be called before it runs. */
  prepare(facts: UnitFacts): void {
    this.#isFree = this.#options.run.hold.isAtRest;
    this.#judged = 0;
    if (facts.changesChannels) {
      this.#judge(facts);
    }
  }

  /** More of an open unit was sent. */
  prepareMore(facts: UnitFacts): void {
    if (!facts.changesChannels || this.#state.type !== "none") {
      return;
    }
    const isNew = facts.hasUnreadChannels || facts.channels.length > this.#judged;
    // The Sync may be on its way: what comes ahead of it is not answered before.
    if (isNew && (!facts.isOpen || facts.hasFlushedChannels)) {
      this.#judge(facts);
    } else if (isNew && this.#isFree) {
      this.#options.run.hold.leaveBehind();
    }
  }

  get #listens(): boolean {
    return this.#channels !== undefined && this.#channels.size > 0;
  }

  #judge(facts: UnitFacts): void {
    const { channels: commands, hasUnreadChannels } = facts;
    this.#judged = commands.length;
    const leavesOnly = !hasUnreadChannels && commands.every(({ type }) => type !== "listen");
    if (leavesOnly && !this.#listens) {
      return;
    }
    const { hold } = this.#options.run;
    const isAlone = facts.executions === 1 && facts.hasChannelsAlone;
    const isQuery = isAlone && !facts.isExtended;
    if (this.#takesEffectAtOnce(facts) && leavesOnly) {
      this.#hold(commands);
    } else if (this.#takesEffectAtOnce(facts) && this.#isFree && isAlone && this.#canListen()) {
      this.#hold(commands);
      hold.leaveBehind();
    } else if (!this.#listens || this.#areNew(facts)) {
      facts.addState();
    } else if (this.#takesEffectAtOnce(facts) && isQuery && this.#areRepeated(commands)) {
      this.#state = { type: "repeated", commands: [...commands] };
    } else {
      facts.refuse(mixedError());
    }
  }

  /** Whether it does so with the answer that ends the unit, unless that has an error. */
  #takesEffectAtOnce(facts: UnitFacts): boolean {
    const isTransaction = facts.opensTransaction || facts.endsTransaction;
    const isOther = facts.copies || facts.discardsAll !== undefined || facts.hasUnreadChannels;
    return (
      !facts.isOpen && !isTransaction && !isOther && this.#options.run.hold.transaction === "I"
    );
  }

  #hold(commands: readonly ChannelCommand[]): void {
    this.#state = { type: "running", commands: [...commands], answer: new HeldAnswer() };
  }

  /** The unit was not run: it is answered otherwise. */
  refused(): void {
    if (this.#state.type === "running" || this.#state.type === "repeated") {
      this.#state = NONE;
    }
  }

  /**
   * Answers the unit in place of a backend, once a question to the server is answered. Returns whether
   * it does so.
   */
  repeat(): boolean {
    if (this.#state.type !== "repeated" || this.#subscription === undefined) {
      return false;
    }
    const { commands } = this.#state;
    const answer = new HeldAnswer();
    for (const _ of commands) {
      answer.add(encodeCommandTag("LISTEN"));
    }
    answer.add(encodeReadyForQuery("I"));
    this.#state = { type: "changing" };
    void this.#change(this.#subscription, commands, answer);
    return true;
  }

  /** Takes the next bytes of an answer, if it is to be held. */
  takes(bytes: Uint8Array): boolean {
    if (this.#state.type !== "running") {
      return false;
    }
    const { engine, owner } = this.#options;
    const { answer } = this.#state;
    answer.add(bytes);
    if (answer.byteLength > engine.limits.heldBytes) {
      const problem = "the answer to LISTEN or UNLISTEN is too long";
      owner.fail(new MultiPoolerError(PoolerErrorCode.Internal, problem));
    }
    return true;
  }

  /** The unit has run. */
  ran(): void {
    if (this.#state.type !== "running") {
      return;
    }
    const { commands, answer } = this.#state;
    const isDone = answer.channelTags.length === commands.length;
    if (!isDone || this.#subscription === undefined) {
      this.#state = NONE;
      this.#tell(answer.withNotifications(this.#take()));
      return;
    }
    this.#state = { type: "changing" };
    void this.#change(this.#subscription, commands, answer);
  }

  /** DISCARD ALL has run. */
  discard(): void {
    this.#subscription?.end();
    this.#subscription = undefined;
    this.#channels = undefined;
    this.#kept.clear();
  }

  /** The session has ended. */
  end(): void {
    this.#state = { type: "ended" };
    this.discard();
  }

  /** Tells the client what has waited, if it can be told now. Returns whether a unit may begin. */
  settle(): boolean {
    if (!this.#kept.isEmpty && this.#isDeliverable) {
      this.#tell(Buffer.concat(this.#take()));
    }
    return this.#state.type !== "changing";
  }

  write(message: Uint8Array): undefined {
    if (this.#kept.isEmpty && this.#isDeliverable) {
      this.#tell(message);
    } else if (!this.#kept.add(message)) {
      this.#options.owner.fail(behindError(this.#options.engine.channels.maxNotificationBytes));
    }
  }

  ended(reason: PoolerError): void {
    this.#subscription = undefined;
    // What waits for the change is told by its failure.
    if (this.#listens) {
      this.#options.owner.fail(lostError(reason));
    }
  }

  async #change(
    subscription: Subscription,
    commands: readonly ChannelCommand[],
    answer: HeldAnswer,
  ): Promise<void> {
    const { owner } = this.#options;
    try {
      await subscription.change(changeOf(commands));
    } catch (error) {
      if (this.#state.type === "changing") {
        this.#state = NONE;
        owner.reject(poolerError(error));
        owner.goOn();
      }
      return;
    }
    if (this.#state.type === "changing") {
      this.#state = NONE;
      for (const command of commands) {
        this.#note(command);
      }
      this.#tell(answer.withNotifications(this.#take()));
      owner.goOn();
    }
  }

  #note(command: ChannelCommand): void {
    switch (command.type) {
      case "listen":
        this.#channels ??= new Set();
        this.#channels.add(command.channel);
        return;
      case "unlisten":
        this.#channels?.delete(command.channel);
        return;
      case "unlistenAll":
        this.#channels = undefined;
    }
  }

  /** Whether the pooler listens, so that it can do so for the session. */
  #canListen(): boolean {
    if (this.#subscription !== undefined) {
      return true;
    }
    try {
      this.#subscription = this.#options.engine.channels.subscribe(this);
      return true;
    } catch {
      return false;
    }
  }

  #areNew({ channels, hasUnreadChannels }: UnitFacts): boolean {
    const isNew = (command: ChannelCommand): boolean =>
      command.type === "listen" && this.#channels?.has(command.channel) !== true;
    return !hasUnreadChannels && channels.every(isNew);
  }

  #areRepeated(commands: readonly ChannelCommand[]): boolean {
    return commands.every(
      (command) => command.type === "listen" && this.#channels?.has(command.channel) === true,
    );
  }

  /** As PostgreSQL has it: outside of transactions, and between answers. */
  get #isDeliverable(): boolean {
    const { run, output } = this.#options;
    const isAtRest = run.phase === "none" && run.hold.transaction === "I";
    return isAtRest && !output.isBehind && this.#state.type === "none";
  }

  #tell(bytes: Uint8Array): void {
    this.#options.owner.answered(bytes);
  }

  #take(): Uint8Array[] {
    const messages = this.#kept.takeAll();
    for (const message of messages) {
      this.#kept.passedOn(message);
    }
    return messages;
  }
}

/** What PostgreSQL decides in a transaction is not known to the pooler, which listens beside it. */
function mixedError(): MultiPoolerError {
  const message =
    "LISTEN and UNLISTEN are not possible here for channels that the session listens to";
  return new MultiPoolerError(PoolerErrorCode.Unimplemented, message, {
    diagnostic: errorDiagnostic("0A000", message, {
      detail: "The pooler listens for the session, and cannot tell whether a transaction commits.",
      hint: "Run them outside of transactions, and alone in their query string.",
    }),
  });
}

function lostError(reason: PoolerError): MultiPoolerError {
  const diagnostic =
    reason.code === PoolerErrorCode.NotServing || reason.code === PoolerErrorCode.NotOpen
      ? errorDiagnostic("57P01", "terminating connection due to administrator command", {
          detail: `The pooler does not listen any more: ${reason.message}`,
        })
      : reason.diagnostic;
  return new MultiPoolerError(reason.code, reason.message, { cause: reason, diagnostic });
}
