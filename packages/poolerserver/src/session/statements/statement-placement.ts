import type { StatementFailure } from "../../statements/statement-failure.ts";
import type {
  RegisteredStatement,
  StatementRegistry,
} from "../../statements/statement-registry.ts";
import { endsInSync } from "../input/frontend-message.ts";
import { DROPPED, NOBODY } from "./pooler-name.ts";
import { UNNAMED } from "./client-statements.ts";
import type { ClientStatements } from "./client-statements.ts";
import type { StatementMessage } from "./statement-message.ts";
import { ReusedStatements } from "./reused-statements.ts";
import { StatementsInPlace } from "./statements-in-place.ts";
import { StatementReplies } from "./statement-replies.ts";
import type { UnitPlace } from "./unit-place.ts";
import { UnitSetups } from "./unit-setups.ts";
import { UnitSteps } from "./unit-steps.ts";
import type { SetupRequest } from "./statement-setup.ts";

export interface StatementPlacementOptions {
  readonly registry: StatementRegistry;
  readonly statements: ClientStatements;
  /** As whom the server knows the session. */
  readonly user: string;
}

/**
 * Brings the prepared statements that a unit names onto the backend that it was granted, and its names
 * into those of the registry, while the unit is copied into the write. One object serves all units of
 * a session.
 */
export class StatementPlacement {
  readonly #registry: StatementRegistry;
  readonly #statements: ClientStatements;
  #ddlCount = 0;
  readonly #steps = new UnitSteps();
  readonly #replies: StatementReplies;
  readonly #inPlace: StatementsInPlace;
  readonly #reused: ReusedStatements;
  readonly #setups = new UnitSetups();
  #place: UnitPlace | undefined;
  /** Parse messages of the client that are left out: their ParseComplete is to be made. */
  leftOut = 0;

  constructor(options: StatementPlacementOptions) {
    const { registry, statements, user } = options;
    this.#registry = registry;
    this.#statements = statements;
    this.#reused = new ReusedStatements(registry, user);
    this.#replies = new StatementReplies({
      onParsed: (statement, generation) => {
        this.#place?.held.add(statement, { generation, ddlCount: this.#ddlCount });
        registry.noteAccepted(statement, user, this.#ddlCount);
      },
      onBrought: (statement) => this.#place?.hold.own.add(statement),
      statements,
    });
    this.#inPlace = new StatementsInPlace({ steps: this.#steps, replies: this.#replies });
  }

  get byteLength(): number {
    return this.#steps.byteLength;
  }

  /** What has to be sent before the unit. */
  get setups(): readonly SetupRequest[] {
    return this.#setups.list;
  }

  /** Whether an error that comes now may be that of a statement which the backend had. */
  get isSuspect(): boolean {
    return !this.#reused.isEmpty && !this.#replies.hasProgress;
  }

  /** Whether the unit can be sent again after it has failed because of what the backend had. */
  isRepeatable(failure: StatementFailure): boolean {
    const isUnanswered = this.isSuspect && !this.#replies.hasAnyForClient;
    return isUnanswered && this.#reused.canBeReplaced(failure);
  }

  /** A unit of these bytes and messages goes to the backend of `held`. */
  place(bytes: Uint8Array, messages: readonly StatementMessage[], where: UnitPlace): void {
    this.#begin(where);
    this.#rewrite(bytes, messages, true);
    if (!where.held.owesCloses) {
      return;
    }
    const closes = where.held.takeOwed();
    if (this.#reused.hasAnyOf(closes)) {
      // What is parsed takes the room of what is used.
      where.held.owe(closes);
      this.place(bytes, messages, where);
      return;
    }
    // They come before what the unit needs: that may have such a name again.
    if (this.#setups.list.length > 0 || !endsInSync(bytes)) {
      this.#setups.closeFirst(closes, where.held);
      return;
    }
    this.#steps.closeFirst(closes);
    this.#replies.expectFirst(closes.length);
  }

  /** The same with more of a unit that was placed. Returns the bytes to send. */
  placeMore(bytes: Buffer, messages: readonly StatementMessage[]): Uint8Array {
    if (messages.length === 0 || this.#place === undefined) {
      return bytes;
    }
    this.#rewrite(bytes, messages, false);
    return this.#steps.written(bytes);
  }

  /** Writes the unit as it was placed. Returns its end. */
  writeTo(target: Buffer, start: number, bytes: Buffer): number {
    return this.#steps.writeTo(target, start, bytes);
  }

  /** A message of the answer begins. Returns whether it is the client's. */
  reply(code: number): boolean {
    return this.#replies.take(code);
  }

  /** The unit has ended on its backend. */
  settle(): void {
    const { closes } = this.#steps;
    if (this.#replies.count < closes.length) {
      this.#place?.held.owe(closes.slice(this.#replies.count));
    }
    this.#place?.held.owe(this.#inPlace.takeOccupied());
    this.#place = undefined;
    this.#setups.empty();
    this.#steps.end();
  }

  /** Something that was used as the backend had it has failed: it is parsed again before its next use. */
  suspect(failure: StatementFailure): void {
    this.#reused.suspect(failure, this.#place);
  }

  #begin(place: UnitPlace): void {
    this.#place = place;
    this.#ddlCount = this.#registry.ddlCount;
    this.#replies.begin();
    this.#statements.restart();
    this.#reused.empty();
    this.#setups.empty();
    this.leftOut = 0;
  }

  #rewrite(bytes: Uint8Array, messages: readonly StatementMessage[], isFirst: boolean): void {
    this.#steps.begin(bytes.length, messages);
    // Those before it in the unit live on where DISCARD ALL drops what has a name.
    const left = this.#place?.leavesUnnamed === true ? this.#statements.get(UNNAMED) : undefined;
    for (const message of messages) {
      if (message.isUnnamed && message.statement !== left) {
        this.#keep(message);
      } else {
        this.#placeMessage(message, isFirst);
      }
    }
  }

  #keep({ kind, statement }: StatementMessage): void {
    this.#steps.keep();
    if (statement?.isOpaque === true) {
      this.#place?.hold.own.add(statement);
    }
    if (kind !== "use") {
      this.#replies.expect(true);
    }
  }

  #placeMessage(message: StatementMessage, isFirst: boolean): void {
    const { kind, statement, isParse } = message;
    const isPlaced = !isFirst && this.#placeInGroup(message);
    if (isParse) {
      this.#replies.expect(true);
    }
    if (isPlaced) {
      return;
    }
    const registered = statement?.registeredIn(this.#registry, this.#place?.conditions ?? "");
    switch (kind) {
      case "plain":
        this.#keep(message);
        return;
      case "duplicate":
        this.#inPlace.occupy(message);
        this.#replies.expect(true);
        return;
      case "missing":
        this.#steps.closeBefore(message, message.nameStart === message.nameEnd ? "" : NOBODY);
        this.#replies.expect(false);
        return;
      case "parse":
        this.#placeParse(message, registered, isFirst);
        return;
      case "use":
        if (isFirst && message.isDescribe && this.#place?.opensTransaction === true) {
          this.#placeAhead(message, registered);
        } else {
          this.#placeUse(message, registered);
        }
        return;
      case "close":
        this.#steps.rename(message, NOBODY);
        this.#replies.expect(true);
        return;
      default:
        this.#placeSql(message, registered);
    }
  }

  /** A text that names a statement, or resets settings: what it needs goes ahead of the unit. */
  #placeSql(message: StatementMessage, registered: RegisteredStatement | undefined): void {
    const { kind, statement } = message;
    this.#replies.hideRestoring(message.restoring);
    switch (kind) {
      case "taken":
        this.#steps.keep();
        this.#inPlace.noteOccupied(message.ownName);
        this.#setups.occupy(message.ownName);
        return;
      case "prepare":
        this.#steps.rename(message, registered?.name ?? NOBODY);
        this.#replies.notePrepared(registered);
        return;
      case "execute":
        this.#placeAhead(message, registered);
        return;
      case "bringBehind":
        this.#inPlace.bring(message);
        return;
      case "bring":
        this.#steps.keep();
        if (statement !== undefined) {
          this.#setups.bring(statement, message.ownName, this.#place?.hold.own);
        }
        return;
      case "restoreIn":
        this.#steps.rename(message, message.restoring?.bytes.toString("latin1") ?? "");
        return;
      case "restoreBehind":
        this.#steps.append(message);
        return;
      case "deallocate":
        this.#steps.rename(message, DROPPED);
        this.#setups.occupy(DROPPED);
        return;
      default:
    }
  }

  #placeParse(
    message: StatementMessage,
    registered: RegisteredStatement | undefined,
    isFirst: boolean,
  ): void {
    if (registered === undefined) {
      return;
    }
    const isReparsed =
      !isFirst ||
      this.#place?.hold.transaction === "E" ||
      // It is to mean what the settings of this moment say.
      this.#place?.held.isApart === true;
    if (!isReparsed && this.#steps.isFirst(message) && this.#isHeld(registered)) {
      this.#steps.leaveOut(message);
      this.leftOut += 1;
      this.#statements.confirm();
      return;
    }
    this.#place?.held.makeRoom(registered);
    this.#steps.closeBefore(message, registered.name);
    this.#replies.expect(false);
    this.#replies.expect(true, registered);
  }

  /**
   * SQL that names a statement, behind something of its group: nothing can go ahead of that any more, so
   * that what it needs goes ahead of it in the group. Returns whether it is such a message.
   */
  #placeInGroup(message: StatementMessage): boolean {
    const { kind, statement } = message;
    switch (kind) {
      case "taken":
        this.#inPlace.occupy(message);
        return true;
      case "bring":
        this.#inPlace.bring(message);
        return true;
      case "execute":
        this.#placeUse(
          message,
          statement?.registeredIn(this.#registry, this.#place?.conditions ?? ""),
        );
        return true;
      case "deallocate":
        this.#inPlace.drop(message);
        return true;
      default:
        return false;
    }
  }

  #placeUse(message: StatementMessage, registered: RegisteredStatement | undefined): void {
    const { statement } = message;
    if (registered === undefined || statement === undefined) {
      return;
    }
    if (this.#isHeld(registered, statement.use(message.isDescribe, this.#reused.user))) {
      this.#steps.rename(message, registered.name);
      return;
    }
    this.#place?.held.makeRoom(registered);
    this.#inPlace.define(message, { statement, registered });
  }

  /** The statement goes ahead of the unit where it is missing. */
  #placeAhead(message: StatementMessage, registered: RegisteredStatement | undefined): void {
    const { statement } = message;
    if (registered === undefined || statement === undefined) {
      return;
    }
    this.#steps.rename(message, registered.name);
    const isTold = message.isDescribe && statement.use(true, this.#reused.user);
    if (!this.#isHeld(registered, isTold)) {
      this.#setups.parse(statement, registered, {
        held: this.#place?.held,
        ddlCount: this.#ddlCount,
      });
    }
  }

  /**
   * Whether the backend has the statement when the message comes that is being placed. Where the client
   * was told its columns, PostgreSQL is to judge whether it still has these.
   */
  #isHeld(registered: RegisteredStatement, isTold = false): boolean {
    if (this.#replies.parses(registered) || this.#reused.has(registered)) {
      return true;
    }
    const held = this.#place?.held;
    if ((isTold ? held?.useAny(registered) : held?.use(registered, this.#ddlCount)) !== true) {
      return false;
    }
    this.#reused.add(registered, isTold);
    return true;
  }
}
