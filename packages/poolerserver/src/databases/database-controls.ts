/**
 * What an operator has decided about databases, by name. It outlives the engines, and so a failover
 * and a database that is opened again.
 */
export class DatabaseControls {
  #areAllPaused = false;
  readonly #paused = new Set<string>();
  readonly #disabled = new Set<string>();

  /** Whether every database is paused, also those that no session has named yet. */
  get areAllPaused(): boolean {
    return this.#areAllPaused;
  }

  isPaused(database: string): boolean {
    return this.#areAllPaused || this.#paused.has(database);
  }

  /** `undefined`: all databases. */
  pause(database: string | undefined): void {
    if (database === undefined) {
      this.#areAllPaused = true;
    } else {
      this.#paused.add(database);
    }
  }

  /** `undefined`: all databases. One does not run before all are resumed that were paused together. */
  resume(database: string | undefined): void {
    if (database === undefined) {
      this.#areAllPaused = false;
      this.#paused.clear();
    } else {
      this.#paused.delete(database);
    }
  }

  isDisabled(database: string): boolean {
    return this.#disabled.has(database);
  }

  setDisabled(database: string, isDisabled: boolean): void {
    if (isDisabled) {
      this.#disabled.add(database);
    } else {
      this.#disabled.delete(database);
    }
  }

  /** Databases that one of these was decided about by name. */
  get named(): ReadonlySet<string> {
    return this.#paused.union(this.#disabled);
  }
}
