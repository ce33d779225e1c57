import { HEADER_BYTES } from "@multipooler/pgwire";
import type { MessageInput } from "../input/message-input.ts";
import { emptyList } from "../emptied-list.ts";
import type { Restoring } from "../settings/startup-restoring.ts";
import type { ClientStatement } from "./client-statement.ts";
import type { StatementMessage, StatementMessageKind } from "./statement-message.ts";

/** What is noted of a message. Positions are those in the chunk of the input. */
interface NotedMessage {
  readonly nameStart?: number;
  readonly nameEnd?: number;
  readonly statement?: ClientStatement | undefined;
  readonly ownName?: string;
  readonly isUnnamed?: boolean;
  readonly isDescribe?: boolean;
  readonly isParse?: boolean;
  readonly restoring?: Restoring;
}

/** The messages of a unit, or of its next piece, that are to be rewritten, in their order. */
export class UnitMessages {
  readonly #input: MessageInput;
  list: StatementMessage[] = [];

  /** @param input where the message stands that is being read */
  constructor(input: MessageInput) {
    this.#input = input;
  }

  /** The unit before has ended. */
  empty(): void {
    emptyList(this.list);
  }

  /** Another piece of the unit begins; somebody may still read those of the one before. */
  beginPiece(): void {
    if (this.list.length > 0) {
      this.list = [];
    }
  }

  /** Adds the current message. */
  add(
    kind: StatementMessageKind,
    {
      nameStart = 0,
      nameEnd = 0,
      statement,
      ownName = "",
      isUnnamed = false,
      isDescribe = false,
      isParse = false,
      restoring,
    }: NotedMessage,
  ): void {
    const { offset, bodyStart, bodyEnd } = this.#input;
    const shift = offset + HEADER_BYTES - bodyStart;
    const noted = {
      kind,
      start: offset,
      end: bodyEnd + shift,
      nameStart: nameStart + shift,
      nameEnd: nameEnd + shift,
      statement,
      ownName,
      isUnnamed,
      isDescribe,
      isParse,
      restoring,
    };
    // What goes before a message is written before it is renamed.
    const isAhead = kind === "bring" || kind === "bringBehind";
    if (isAhead && this.list.at(-1)?.start === offset) {
      this.list.splice(-1, 0, noted);
    } else {
      this.list.push(noted);
    }
  }
}
