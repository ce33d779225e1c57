import { literal } from "../../pool/label-difference.ts";
import type { LabelSettings } from "../../pool/label-settings.ts";
import type { Order } from "../statements/order.ts";
import type { SettingsCommand } from "../statements/session-command.ts";
import { REPLIES_TO_INSERTED, insertedStatement } from "../statements/inserted-statement.ts";
import type { SettingReset } from "./setting-resets.ts";

/** RowDescription and CommandComplete. */
const REPLIES_IN_TEXT = 2;
/** RESET ALL leaves them alone. */
const IDENTITY = new Set(["role", "session_authorization"]);

/** What the pooler adds to a unit so that the start-up settings are back. */
export interface Restoring {
  /** What is inserted: a part of a text, or whole messages. */
  readonly bytes: Buffer;
  /** Behind which executions of the unit it is done. */
  readonly executions: readonly number[];
  /** How many messages answer it, each time. None of them is the client's. */
  readonly replies: number;
}

/** The same for a text, and which part of that it takes the place of. */
export interface RestoringText extends Restoring {
  readonly start: number;
  readonly end: number;
}

/**
 * Puts the start-up settings of a session back in place behind statements that reset them. A backend
 * has its own defaults, to which it resets them; in a session of PostgreSQL's they are the defaults.
 */
export class StartupRestoring {
  readonly #startup: LabelSettings;

  constructor(startup: LabelSettings) {
    this.#startup = startup;
  }

  /**
   * For a text that is run as it is. One that is DISCARD ALL takes no other statement beside it. What an
   * EXECUTE runs takes the place of the text.
   *
   * @param text as `toSqlText` makes it
   * @param execution of its first statement
   */
  inText(order: Order, text: string, execution: number): RestoringText | undefined {
    const resets = order.command.type === "discardAll" ? [] : this.#resetsOf(order);
    const start = resets[0]?.end;
    if (start === undefined) {
      return undefined;
    }
    const { executed } = order;
    const source = executed?.text ?? text;
    let inserted = "";
    let end = start;
    for (const reset of resets) {
      const sql = Buffer.from(this.#sql(reset.names)).toString("latin1");
      inserted += `${source.slice(end, reset.end)}; ${sql}`;
      end = reset.end;
    }
    const place =
      executed === undefined
        ? { bytes: Buffer.from(inserted, "latin1"), start, end }
        : {
            bytes: Buffer.from(source.slice(0, start) + inserted, "latin1"),
            start: 0,
            end: text.length,
          };
    return {
      ...place,
      executions: resets.map(({ statement }) => execution + statement),
      replies: REPLIES_IN_TEXT,
    };
  }

  /** The same for an Execute of such a statement. */
  behind(order: Order | undefined, execution: number): Restoring | undefined {
    const [reset] = this.#resetsOf(order);
    return reset === undefined
      ? undefined
      : {
          bytes: insertedStatement(this.#sql(reset.names)),
          executions: [execution],
          replies: REPLIES_TO_INSERTED,
        };
  }

  /** Those that take start-up settings back. */
  #resetsOf(order: Order | undefined): readonly SettingReset[] {
    if (order === undefined || this.#startup.values.size === 0) {
      return [];
    }
    const { command, executed } = order;
    switch (command.type) {
      case "settings":
        return this.#resetsIn(command);
      case "execute":
        return executed === undefined ? [] : this.#resetsIn(executed.command);
      case "discardAll":
        return this.#namesOf("all").length > 0 ? [{ names: "all", statement: 0, end: 0 }] : [];
      case "deallocateAll":
      case "channels":
      case "deallocate":
      case "prepare":
        return [];
    }
  }

  #resetsIn({ resets }: SettingsCommand): readonly SettingReset[] {
    return resets.filter(({ names }) => this.#namesOf(names).length > 0);
  }

  #namesOf(names: SettingReset["names"]): readonly string[] {
    const { values } = this.#startup;
    return names === "all"
      ? [...values.keys()].filter((name) => !IDENTITY.has(name))
      : names.filter((name) => values.has(name));
  }

  /** Returns no row, so that only messages have to be kept from the client. */
  #sql(names: SettingReset["names"]): string {
    const { values } = this.#startup;
    const calls = this.#namesOf(names).map(
      (name) =>
        `pg_catalog.set_config(${literal(name)}, ${literal(values.get(name) ?? "")}, false)`,
    );
    return `SELECT WHERE pg_catalog.num_nulls(${calls.join(", ")}) OPERATOR(pg_catalog.>) 0`;
  }
}
