/** What a bench has started: servers and processes, which end with it, also when it is interrupted. */
export class Resources implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  /**
   * Starts one. When everything is ended while it starts, it ends as soon as it has started.
   *
   * @throws Error once everything was ended
   */
  async open<Resource extends AsyncDisposable>(
    start: () => Resource | Promise<Resource>,
  ): Promise<Resource> {
    if (this.#stack.disposed) {
      throw new Error("the bench was interrupted");
    }
    const starting = Promise.try(start);
    this.#stack.defer(async () => {
      const started = await starting.catch(() => undefined);
      await started?.[Symbol.asyncDispose]();
    });
    return await starting;
  }

  /** Ends everything, the last first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
