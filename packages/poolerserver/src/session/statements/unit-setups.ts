import type { HeldStatements } from "../../statements/held-statements.ts";
import type { RegisteredStatement } from "../../statements/statement-registry.ts";
import type { ClientStatement } from "./client-statement.ts";
import type { OwnStatements } from "./own-statements.ts";
import { StatementCloses } from "./statement-closes.ts";
import { emptySetup, setupOf } from "./statement-setup.ts";
import type { SetupRequest } from "./statement-setup.ts";

const NONE: readonly SetupRequest[] = [];

/** What has to be sent before a unit. */
export class UnitSetups {
  #list: readonly SetupRequest[] = NONE;

  get list(): readonly SetupRequest[] {
    return this.#list;
  }

  /** None any more. Those that were sent keep their list. */
  empty(): void {
    this.#list = NONE;
  }

  /** Statements are closed ahead of everything else. */
  closeFirst(names: readonly string[], held: HeldStatements): void {
    this.#list = [new StatementCloses(names, held), ...this.#list];
  }

  /** Something has this name. */
  occupy(name: string): void {
    this.#add(emptySetup(name));
  }

  /** A statement of the client is there under its own name. */
  bring(statement: ClientStatement, name: string, own: OwnStatements | undefined): void {
    this.#add(setupOf(statement, name, () => own?.add(statement)));
  }

  /** The same under the name of the registry. @param ddlCount see {@link HeldStatements.add} */
  parse(
    statement: ClientStatement,
    registered: RegisteredStatement,
    { held, ddlCount }: { readonly held: HeldStatements | undefined; readonly ddlCount: number },
  ): void {
    const parsed = { generation: registered.generation, ddlCount };
    held?.makeRoom(registered);
    this.#add(setupOf(statement, registered.name, () => held?.add(registered, parsed)));
  }

  #add(setup: SetupRequest): void {
    this.#list = [...this.#list, setup];
  }
}
