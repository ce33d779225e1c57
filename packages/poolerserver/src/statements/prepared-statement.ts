import { ExtendedUnit } from "@multipooler/pgwire";
import type {
  EventReceiver,
  ExtendedStatement,
  ExtendedStep,
  RequestEnd,
} from "@multipooler/pgwire";
import type { ResultEvent } from "@multipooler/query-service";
import type { Lease } from "../pool/lease.ts";
import type { HeldStatements } from "./held-statements.ts";
import type { RegisteredStatement, StatementRegistry } from "./statement-registry.ts";
import type { BackendStatement, Preparation } from "./backend-statement.ts";
import { failureOf } from "./statement-failure.ts";

/** Where a run was placed, and what it sends there. */
interface Placement {
  readonly held: HeldStatements;
  readonly generation: number;
  readonly ddlCount: number;
  readonly closes: readonly string[];
  readonly parses: boolean;
}

/**
 * A statement that runs under its name of the registry. It is parsed in the same write where the
 * backend does not have it; whether that succeeded is noted when the server says so, and not before:
 * what is sent behind it parses for itself.
 *
 * A Bind that fails before anything is run may fail because of what was parsed earlier, for others: it
 * is run again with a Parse, and that answer counts.
 *
 * | the Bind fails because                             | then                                        |
 * | -------------------------------------------------- | ------------------------------------------- |
 * | the plan does not fit its table any more (0A000)   | every backend parses it again               |
 * | the statement is not where it should be (26000)    | the backend parses again whatever it has    |
 * | of anything else, such as a type that has changed  | the backend parses it again                 |
 */
export class PreparedStatement implements BackendStatement, EventReceiver {
  readonly request: ExtendedUnit;
  readonly #registry: StatementRegistry;
  readonly #registered: RegisteredStatement;
  readonly #receiver: EventReceiver;
  readonly #type: ExtendedStatement["type"];
  #placement: Placement | undefined;
  /** The backend does not keep it. */
  readonly #isForOnce: boolean;
  #isParsed = false;
  #isBound = false;
  #mustRunAgain = false;

  constructor(options: {
    readonly statement: ExtendedStatement;
    readonly preparation: Preparation;
    readonly receiver: EventReceiver;
  }) {
    const { statement, preparation, receiver } = options;
    const { registry, conditions, drops } = preparation;
    this.#registry = registry;
    this.#registered = registry.find(statement, conditions);
    this.#receiver = receiver;
    this.#type = statement.type;
    const { name, isRemembered } = this.#registered;
    this.#isForOnce = drops || !isRemembered;
    this.request = new ExtendedUnit({ statement, name, receiver: this });
  }

  placeOn({ statements: held }: Pick<Lease, "statements">): void {
    const registered = this.#registered;
    const { generation } = registered;
    const { ddlCount } = this.#registry;
    const parses = !held.use(registered, ddlCount);
    if (parses) {
      held.makeRoom(registered);
    }
    const closes = held.takeOwed();
    this.#isParsed = false;
    this.#isBound = false;
    this.#placement = { held, generation, ddlCount, closes, parses };
    this.request.arrange(this.#placement);
  }

  withdrawn(): void {
    this.#placement?.held.owe(this.#placement.closes);
  }

  get mustRunAgain(): boolean {
    return this.#mustRunAgain;
  }

  event(event: ResultEvent): Promise<void> | undefined {
    return this.#receiver.event(event);
  }

  step(step: ExtendedStep): void {
    if (step === "bound") {
      this.#isBound = true;
    } else if (this.#placement?.parses === true) {
      this.#isParsed = true;
      this.#placement.held.add(this.#registered, this.#placement);
    }
  }

  described(parameters: Uint8Array): void {
    this.#receiver.described?.(parameters);
  }

  settle(end: RequestEnd): void {
    this.#mustRunAgain =
      this.#placement !== undefined && end.type !== "lost" && this.#note(end, this.#placement);
    this.#receiver.settle(end);
  }

  /** Notes what the end tells about the backend's statements. Returns whether it must run again. */
  #note(
    end: Exclude<RequestEnd, { type: "lost" }>,
    { held, generation, parses, closes }: Placement,
  ): boolean {
    if (end.error !== undefined && !this.#isParsed && !this.#isBound) {
      // What goes ahead of it may have failed, so that the server has passed over all of it.
      held.owe(closes);
    }
    if (this.#isForOnce) {
      held.close(this.#registered.name);
    }
    if (parses || end.error?.diagnostic === undefined || this.#isRun) {
      return false;
    }
    switch (failureOf(end.error)) {
      case "outdated":
        this.#registry.outdated(this.#registered, generation);
        break;
      case "missing":
        held.doubt();
        break;
      case "other":
        held.suspect(this.#registered.name);
    }
    // The SQL of the caller may have run a part, such as the functions in its arguments.
    return this.#type !== "sqlExecute" && end.transactionStatus === "I";
  }

  /** Whether an error may come from the statement itself. */
  get #isRun(): boolean {
    return this.#type === "prepared" && this.#isBound;
  }
}
