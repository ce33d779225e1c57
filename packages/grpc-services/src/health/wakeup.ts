/** Lets one waiter sleep until something happens. What happens while nobody waits is not lost. */
export class Wakeup {
  #next: PromiseWithResolvers<void> = Promise.withResolvers();

  /** Ends the wait that runs, or the next one. */
  readonly wake = (): void => {
    this.#next.resolve();
  };

  async wait(): Promise<void> {
    await this.#next.promise;
    this.#next = Promise.withResolvers();
  }
}
