import { PoolerErrorCode } from "@multipooler/query-service";
import type { NotificationSink, PoolerError, Subscription } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic, poolerError } from "../../error.ts";
import { cutName } from "../../notifications/channel-name.ts";
import { KeptNotifications } from "../../notifications/kept-notifications.ts";
import { behindError } from "../../notifications/subscriber.ts";
import type { ClientOutput } from "../output/client-output.ts";
import type { UnitFacts } from "../input/unit-facts.ts";
import type { UnitRun } from "../unit/unit-run.ts";
import { changeOf } from "./channel-command.ts";
import type { ChannelCommand } from "./channel-command.ts";
import { HeldAnswer } from "./held-answer.ts";
import { NotificationFilter } from "./notification-filter.ts";

/** Where a session listens without a backend of its own. */
export interface ChannelSource {
  subscribe(sink: NotificationSink): Subscription;
  /** What may wait for one session. */
  readonly maxNotificationBytes: number;
}

/** The session that listens. None of these may throw. */
export interface ChannelOwner {
  /** Gives the client bytes that are whole messages. */
  tell(bytes: Uint8Array): void;
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
  | { readonly type: "changing"; readonly commands: readonly ChannelCommand[] }
  | { readonly type: "ended" };

const NONE: State = { type: "none" };

/**
 * The channels of a session, which do not bind it to a backend: the pooler listens for it. LISTEN and
 * UNLISTEN outside a transaction run on any backend, so that PostgreSQL judges them; the channels
 * change before the client gets the answer, and the backend is cleaned.
 *
 * In a transaction, and among other statements, LISTEN runs on a backend that the session keeps: only
 * PostgreSQL knows whether it takes effect, and which notifications of its own the client gets. Where
 * such a backend listens to what the pooler listens to, the client gets what the pooler has heard.
 */
export class SessionChannels implements NotificationSink {
  readonly #options: SessionChannelsOptions;
  readonly #kept: KeptNotifications;
  /** Those that the pooler listens to for the session. */
  #channels: Set<string> | undefined;
  #subscription: Subscription | undefined;
  #state: State = NONE;
  /** The backend that the session keeps may listen, too, to channels of {@link #channels}. */
  #isDoubled = false;
  /** It may listen to others, which the pooler does not listen to. */
  #listensItself = false;
  /** Most sessions need none. */
  #filter: NotificationFilter | undefined;
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
    const { hold } = this.#options.run;
    this.#isFree = hold.isAtRest;
    if (hold.lease === undefined) {
      this.#isDoubled = false;
      this.#listensItself = false;
    }
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
    const isAtOnce = this.#takesEffectAtOnce(facts);
    const isAlone = facts.executions === 1 && facts.hasChannelsAlone;
    if (isAtOnce && leavesOnly) {
      this.#hold(commands);
    } else if (isAtOnce && isAlone && !this.#listensItself && this.#canListen()) {
      this.#hold(commands);
      this.#isDoubled = true;
      this.#options.run.hold.leaveBehind();
    } else if (this.#listens && (hasUnreadChannels || commands.some(isUnlisten))) {
      facts.refuse(mixedError());
    } else {
      this.#leaveToBackend(facts);
    }
  }

  /** The backend of the unit listens, and is kept if the pooler does not listen to all of that. */
  #leaveToBackend(facts: UnitFacts): void {
    const known = facts.channels.filter((command) => this.#isKnown(command)).length;
    this.#isDoubled ||= known > 0;
    if (facts.hasUnreadChannels || known < facts.channels.length) {
      this.#listensItself = true;
      facts.addState();
    } else {
      this.#options.run.hold.leaveBehind();
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
    if (this.#state.type === "running") {
      this.#state = NONE;
    }
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

  /** Leaves out of an answer what the client is told by the pooler. */
  filter(bytes: Uint8Array): Uint8Array {
    if (!this.#isDoubled) {
      return bytes;
    }
    this.#filter ??= new NotificationFilter((channel) => this.#isCarried(channel));
    return this.#filter.pass(bytes);
  }

  /** The unit has run. */
  ran(): void {
    if (this.#state.type !== "running") {
      return;
    }
    const { commands, answer } = this.#state;
    if (answer.channelTags.length !== commands.length) {
      this.#tellAnswer(answer, []);
      return;
    }
    this.#state = { type: "changing", commands };
    void this.#change(commands, answer);
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

  async #change(commands: readonly ChannelCommand[], answer: HeldAnswer): Promise<void> {
    const { owner } = this.#options;
    try {
      // It may have ended since the unit began: then this one fails, and says why.
      this.#subscription ??= this.#options.engine.channels.subscribe(this);
      await this.#subscription.change(changeOf(commands));
    } catch (error) {
      if (this.#state.type === "changing") {
        this.#state = NONE;
        owner.reject(poolerError(error));
        owner.goOn();
      }
      return;
    }
    if (this.#state.type === "changing") {
      this.#tellAnswer(answer, commands);
      owner.goOn();
    }
  }

  /** @param done what has taken effect with it */
  #tellAnswer(answer: HeldAnswer, done: readonly ChannelCommand[]): void {
    const bytes = answer.withNotifications(this.#take(), (channel) => this.#isCarried(channel));
    this.#state = NONE;
    for (const command of done) {
      this.#note(command);
    }
    this.#tell(bytes);
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

  #isKnown(command: ChannelCommand): boolean {
    return command.type === "listen" && this.#channels?.has(command.channel) === true;
  }

  /** Whether the pooler listens to it for the session, or is about to. */
  #isCarried(channel: string): boolean {
    const isIt = (name: string): boolean => name === channel || cutName(name) === channel;
    const { type } = this.#state;
    const commands = type === "running" || type === "changing" ? this.#state.commands : [];
    return (
      [...(this.#channels ?? [])].some(isIt) ||
      commands.some((command) => command.type === "listen" && isIt(command.channel))
    );
  }

  /** As PostgreSQL has it: outside of transactions, and between answers. */
  get #isDeliverable(): boolean {
    const { run, output } = this.#options;
    const isAtRest = run.phase === "none" && run.hold.transaction === "I";
    return isAtRest && !output.isBehind && this.#state.type === "none";
  }

  #tell(bytes: Uint8Array): void {
    this.#options.owner.tell(bytes);
  }

  #take(): Uint8Array[] {
    const messages = this.#kept.takeAll();
    for (const message of messages) {
      this.#kept.passedOn(message);
    }
    return messages;
  }
}

function isUnlisten({ type }: ChannelCommand): boolean {
  return type !== "listen";
}

/** What PostgreSQL decides in a transaction is not known to the pooler, which listens beside it. */
function mixedError(): MultiPoolerError {
  const message = "UNLISTEN is not possible here in a session that listens";
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
