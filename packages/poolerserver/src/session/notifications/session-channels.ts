import type { NotificationSink, PoolerError, Subscription } from "@multipooler/query-service";
import { MultiPoolerError, errorDiagnostic, poolerError } from "../../error.ts";
import { PoolerErrorCode } from "@multipooler/query-service";
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
 * | changing  | PostgreSQL has taken it; the answer waits until the channels have changed        |
 * | ended     | the session has                                                                  |
 */
type State =
  | { readonly type: "none" }
  | { readonly type: "running"; readonly command: ChannelCommand; readonly answer: HeldAnswer }
  | { readonly type: "changing" }
  | { readonly type: "ended" };

const NONE: State = { type: "none" };

/**
 * The channels of a session, which do not bind it to a backend: the pooler listens for it. A LISTEN
 * or UNLISTEN outside a transaction runs on any backend, so that PostgreSQL judges it; the channels
 * change before the client gets the answer, and the backend is cleaned.
 *
 * In a transaction, and among other statements, LISTEN runs on a backend that the session keeps:
 * only PostgreSQL knows whether it takes effect.
 */
export class SessionChannels implements NotificationSink {
  readonly #options: SessionChannelsOptions;
  readonly #kept: KeptNotifications;
  /** Those that the pooler listens to for the session. */
  readonly #channels = new Set<string>();
  #subscription: Subscription | undefined;
  #state: State = NONE;

  constructor(options: SessionChannelsOptions) {
    this.#options = options;
    this.#kept = new KeptNotifications(options.engine.channels.maxNotificationBytes);
  }

  /** Says in the facts of a unit how what it does to channels is done. To be called before it runs. */
  prepare(facts: UnitFacts): void {
    const { channels } = facts;
    if (channels === undefined) {
      return;
    }
    const { hold } = this.#options.run;
    const isFree = hold.isAtRest && channels !== "several" && !facts.isOpen;
    if (isFree && this.#canListen(channels)) {
      this.#state = { type: "running", command: channels, answer: new HeldAnswer() };
      hold.leaveBehind();
    } else if (this.#channels.size === 0) {
      facts.addState();
    } else if (channels !== "several" && this.#isNew(channels)) {
      facts.addState();
    } else if (channels !== "several" && channels.type !== "listen" && hold.transaction === "I") {
      this.#state = { type: "running", command: channels, answer: new HeldAnswer() };
    } else {
      facts.refuse(mixedError());
    }
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
      const problem = "the answer to LISTEN is too long";
      owner.fail(new MultiPoolerError(PoolerErrorCode.Internal, problem));
    }
    return true;
  }

  /** The unit has run. */
  ran(): void {
    if (this.#state.type !== "running") {
      return;
    }
    const { command, answer } = this.#state;
    const isDone = answer.tag === "LISTEN" || answer.tag === "UNLISTEN";
    if (!isDone || this.#subscription === undefined) {
      this.#state = NONE;
      this.#tell(answer.withNotifications(this.#take()));
      return;
    }
    this.#state = { type: "changing" };
    void this.#change(this.#subscription, command, answer);
  }

  /** DISCARD ALL has run. */
  discard(): void {
    this.#subscription?.end();
    this.#subscription = undefined;
    this.#channels.clear();
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
    if (this.#channels.size > 0) {
      this.#options.owner.fail(lostError(reason));
    }
  }

  async #change(
    subscription: Subscription,
    command: ChannelCommand,
    answer: HeldAnswer,
  ): Promise<void> {
    const { owner } = this.#options;
    try {
      await subscription.change(changeOf(command));
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
      this.#note(command);
      this.#tell(answer.withNotifications(this.#take()));
      owner.goOn();
    }
  }

  #note(command: ChannelCommand): void {
    switch (command.type) {
      case "listen":
        this.#channels.add(command.channel);
        return;
      case "unlisten":
        this.#channels.delete(command.channel);
        return;
      case "unlistenAll":
        this.#channels.clear();
    }
  }

  /** Whether the pooler listens, so that it can do so for the session. */
  #canListen({ type }: ChannelCommand): boolean {
    if (type !== "listen" || this.#subscription !== undefined) {
      return true;
    }
    try {
      this.#subscription = this.#options.engine.channels.subscribe(this);
      return true;
    } catch {
      return false;
    }
  }

  #isNew(command: ChannelCommand): boolean {
    return command.type === "listen" && !this.#channels.has(command.channel);
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
