import type { HeldStatements } from "../../statements/held-statements.ts";
import type { RegisteredStatement } from "../../statements/statement-registry.ts";
import type { ClientStatement } from "./client-statement.ts";
import type { OwnStatements } from "./own-statements.ts";
import { StatementCloses } from "./statement-closes.ts";
import { emptySetup, setupOf } from "./statement-setup.ts";
import type { SetupRequest } from "./statement-setup.ts";

/** What has to be sent before a unit. */
export class UnitSetups {
  #list: SetupRequest[] = [];

  get list(): readonly SetupRequest[] {
    return this.#list;
  }

  /** None any more. Those that were sent keep their list. */
  empty(): void {
    this.#list = [];
  }

  /** Statements are closed ahead of everything else. */
  closeFirst(names: readonly string[], held: HeldStatements): void {
    this.#list.unshift(new StatementCloses(names, held));
  }

  /** Something has this name. */
  occupy(name: string): void {
    this.#list.push(emptySetup(name));
  }

  /** A statement of the client is there under its own name. */
  bring(statement: ClientStatement, name: string, own: OwnStatements | undefined): void {
    this.#list.push(setupOf(statement, name, () => own?.add(statement)));
  }

  /** The same under the name of the registry. @param ddlCount see {@link HeldStatements.add} */
  parse(
    statement: ClientStatement,
    registered: RegisteredStatement,
    { held, ddlCount }: { readonly held: HeldStatements | undefined; readonly ddlCount: number },
  ): void {
    const parsed = { generation: registered.generation, ddlCount };
    held?.makeRoom(registered);
    this.#list.push(setupOf(statement, registered.name, () => held?.add(registered, parsed)));
  }
}
